from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.formats import read_trajectories
from terminal_lego.grounding.screen import COLUMNS, at_shell, directory, failures, outputs
from terminal_lego.harness.observation import limit
from terminal_lego.harness.profile import Profile
from terminal_lego.reply import parse_reply

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "trajectories"
HOST = "root@cpu1"
AT = f"{HOST}:/app#"


def new(*rows: str) -> str:
    """An observation of new output, with the blank rows that fill the screen."""
    return "New Terminal Output:\n\n" + "\n".join(rows) + "\n" * 30


def whole(*rows: str) -> str:
    return "Current Terminal Screen:\n" + "\n".join(rows) + "\n" * 5


def on_screen(text: str, columns: int = COLUMNS) -> str:
    """One printed line as the terminal holds it: wrapped, without spaces at the ends of rows."""
    rows = (text[start : start + columns] for start in range(0, max(len(text), 1), columns))
    return "\n".join(row.rstrip() for row in rows)


DIRECTORIES = {
    AT: "/app",
    "user@box:~/src$": "/root/src",
    "user@box:~$": "/root",
    "root@cpu1:/#": "/",
    "(venv) root@c:/x#": "/x",
    "((my env)) (base) root@c:/x y#": "/x y",
    "root@4c3e0f60-19ab-4fc9-abf2-cb2cad73f30f:/app#": "/app",
    '{"a": 1}root@cpu1:/app#': "/app",
    "return 0root@cpu1:/app#": "/app",
    "[user@host dir]$": None,
    "[root@host my dir]#": None,
    "bash-5.2#": None,
    "last wordbash-5.2$": None,
    "sh-5.1$": None,
    "$": None,
    "#": None,
    "/app #": "/app",
    "~/src $": "/root/src",
    "cpu1:/app#": "/app",
    "user@box:~other/x$": None,
}


@pytest.mark.parametrize("prompt", DIRECTORIES)
def test_a_prompt_is_known_and_names_its_directory(prompt):
    for screen in (prompt, prompt + " ", new("before", prompt), whole(prompt)):
        assert at_shell(screen) is True
        assert directory(screen) == DIRECTORIES[prompt]


def test_the_home_directory_is_the_one_given():
    assert directory("user@box:~/src$", home="/srv/user") == "/srv/user/src"


def test_the_last_prompt_counts_whatever_follows_it():
    assert directory(new("root@a:/app# cd src", "root@a:/app/src# sleep 9")) == "/app/src"
    assert directory(new("root@a:/app# sh", "#")) is None


@pytest.mark.parametrize("row", ["# a comment", "$ make", "/app # make", "cpu1:/tmp# ls"])
def test_ordinary_output_is_no_prompt(row):
    assert directory(new(f"{AT} cat notes.md", row, AT)) == "/app"
    assert outputs(new(f"{AT} cat notes.md", row, AT), ["cat notes.md"]) == [row]


@pytest.mark.parametrize("before", range(COLUMNS - len(AT) - 30, COLUMNS + 5, 3))
def test_a_prompt_may_be_wrapped_anywhere(before):
    long = f"{HOST}:/srv/" + "/".join(["deep"] * 40)
    for prompt in (AT, long + "#"):
        screen = new("x" * 7, *on_screen("y" * before + "}" + prompt).split("\n"))
        assert directory(screen) == prompt.partition(":")[2][:-1]
        assert at_shell(screen) is True


OCCUPIED = [
    [">>>"],
    ["mysql>"],
    ["postgres=#"],
    ["Password:"],
    [">"],
    ["~", "~", "-- INSERT --"],
    [f"{AT} sleep 60"],
    [f"{AT} less x", "text", ":"],
    ["26% [21 cpp-13 2351 kB/10.7 MB 22%]"],
    [f"write to {AT}: it is a prompt"],
    ["someone@example.org"],
]


@pytest.mark.parametrize("rows", OCCUPIED, ids=lambda rows: rows[-1])
def test_something_else_has_the_keyboard(rows):
    assert at_shell(new(*rows)) is False
    assert at_shell(whole(*rows)) is False


@pytest.mark.parametrize("text", ["", " \n\n", new(""), whole("", ""), "Please send a proper reply."])
def test_nothing_readable(text):
    assert at_shell(text) is None
    assert directory(text) is None
    assert outputs(text, ["ls"]) == [None]
    assert failures(text) == []


def test_words_of_the_harness_are_not_the_terminal():
    profile, screen = Profile.native(), new(f"{AT} ls", "a", AT)
    reply = parse_reply('{"analysis": "a", "plan": "p", "commands": [{"keystrokes": "ls\\n"}]}')
    assert reply.warning
    question = "Are you sure you want to mark the task as complete? It will be graded."
    shown = [
        profile.confirm(screen),
        profile.warning(reply, screen),
        profile.initial("Do it.", screen),
        f"Current terminal state:\n{screen}\n\n{question}",
        f"Previous response had warnings:\nWARNINGS: - root@b:/x# cat y\n\n{screen}",
    ]
    for observation in shown:
        assert at_shell(observation) is True
        assert directory(observation) == "/app"
        assert outputs(observation, ["ls"]) == ["a"]


def test_outputs_stand_between_prompts():
    screen = new(f"{AT} cd src", f"{HOST}:/app/src# ls", "a.c", "", "b.c", f"{HOST}:/app/src#")
    assert outputs(screen, ["cd src", "ls"]) == ["", "a.c\n\nb.c"]
    assert outputs(screen, ["ls"]) == ["a.c\n\nb.c"]
    assert outputs(screen, []) == []
    assert outputs(screen, ["cd src\n", "ls  \n"]) == ["", "a.c\n\nb.c"]


def test_a_line_is_matched_whole():
    screen = new(f"{AT} ls -la", "total 0", AT)
    assert outputs(screen, ["ls", "ls -la x", "s -la"]) == [None] * 3


def test_an_output_without_final_newline_ends_at_the_prompt():
    screen = new(f"{AT} cat x.json", '{"a": 1', "}" + f"{AT} cat y", "(y)" + AT)
    assert outputs(screen, ["cat x.json", "cat y"]) == ['{"a": 1\n}', "(y)"]


@pytest.mark.parametrize("prompt", ["(venv) root@c:/x#", "[root@c x]#", "bash-5.2#", "$", "#", "/app #"])
def test_echoes_are_found_at_every_kind_of_prompt(prompt):
    screen = new(f"{prompt} cat a", "A", f"{prompt} cat b", "# B", f"{prompt} cat c", "C", prompt)
    assert outputs(screen, ["cat a", "cat b", "cat c"]) == ["A", "# B", "C"]


def test_what_has_not_ended_has_printed_what_is_there():
    assert outputs(new(f"{AT} make", "cc a.c"), ["make", "ls"]) == ["cc a.c", None]
    assert outputs(new(f"{AT} sleep 9"), ["sleep 9"]) == [""]


def test_lines_typed_ahead_are_matched_at_their_prompts():
    screen = new("echo $?", f"{AT} echo $?", "0", AT)
    assert outputs(screen, ["echo $?"]) == ["0"]


def test_input_of_several_rows_is_echoed_with_continuation_prompts():
    heredoc = "cat > a.py << 'EOF'\nimport os\n\nprint(f'root@x:/y# {os}')\n# end\nEOF"
    echo = [
        f"{AT} cat > a.py << 'EOF'",
        "> import os",
        ">",
        "> print(f'root@x:/y# {os}')",
        "> # end",
        "> EOF",
    ]
    assert outputs(new(*echo, f"{AT} ls", "a.py", AT), [heredoc, "ls"]) == ["", "a.py"]
    assert outputs(new(*echo, "bash: a.py: Permission denied", AT), [heredoc]) == [
        "bash: a.py: Permission denied"
    ]
    rewritten = [*echo[:3], ">     completed by tab", "> EOF", "said something", AT]
    assert outputs(new(*rewritten), [heredoc]) == ["said something"]
    assert outputs(new(echo[0], "said something", AT), [heredoc]) == ["said something"]
    assert outputs(new(echo[0], "> imp", ""), [heredoc]) == [""]


@given(st.text("ab ", min_size=1, max_size=700), st.lists(st.text("ab ", max_size=400), max_size=3))
def test_wrapped_lines_are_found(typed, more):
    lines = ["\n".join(["x" + typed, *more, "EOF"]), "ls"]
    first, *rest = lines[0].split("\n")
    echo = [on_screen(f"{AT} {first}"), *(on_screen(f"> {row}") for row in rest)]
    assert outputs(new(*echo, "out", f"{AT} ls", "a", AT), lines) == ["out", "a"]


def test_characters_of_two_cells_wrap_earlier():
    typed = "echo " + "漢" * 100
    edge = (COLUMNS - len(AT) - 1 - 5) // 2
    screen = new(f"{AT} echo {'漢' * edge}", "漢" * (100 - edge), "out", AT)
    assert outputs(screen, [typed]) == ["out"]


def test_a_short_row_is_not_taken_for_a_wrapped_one():
    assert outputs(new(f"{AT} ls", "-la", AT), ["ls -la"]) == [None]


def test_rows_of_an_output_stay_as_shown():
    rule = "=" * COLUMNS
    shown = [rule, "z" * COLUMNS, "zz", "end"]
    assert outputs(new(f"{AT} report", *shown, f"{AT} ls", AT), ["report", "ls"]) == ["\n".join(shown), ""]


def test_a_line_typed_twice_and_shown_once():
    assert outputs(new(f"{AT} ls", "a", f"{AT} vi x", "text"), ["ls", "vi x", "ls"]) == ["a", "text", None]
    assert outputs(whole(f"{AT} x", "new", f"{AT} ls", "b", AT), ["ls", "x", "ls"]) == [None, "new", "b"]


def test_on_a_whole_screen_the_last_place_counts():
    screen = whole(f"{AT} ls", "old", f"{AT} ls", "now", AT)
    assert outputs(screen, ["ls"]) == ["now"]
    assert outputs(screen.replace("Current Terminal Screen", "New Terminal Output"), ["ls"]) == ["old"]


def test_an_empty_line_is_matched_at_an_empty_prompt():
    assert outputs(new(AT, f"{AT} ls", "a", AT), ["", "ls"]) == ["", "a"]
    assert outputs(new(AT), [""]) == [None]


def test_output_cut_by_the_limiter():
    long = [f"row {number}" for number in range(3000)]
    between = new(f"{AT} cat a", *long, f"{AT} cat b", "B", AT)
    first, last = outputs(limit(limit(between)), ["cat a", "cat b"])
    assert first.startswith("row 0\n")
    assert "bytes omitted" in first
    assert first.endswith("row 2999")
    assert last == "B"
    swallowed = new(f"{AT} cat a", *long, f"{AT} cat b", *long, AT)
    first, last = outputs(limit(swallowed), ["cat a", "cat b"])
    assert last is None
    assert "bytes omitted" not in first
    assert "row 2999" not in first


PIECES = [
    AT,
    "\n",
    " ",
    "ls",
    "> ",
    "$ ",
    "# ",
    "New Terminal Output:\n",
    "Current Terminal Screen:\n",
    "EOF",
    "é",
]
PIECES += [
    "(",
    ") ",
    "[",
    "]",
    "@",
    ":/",
    "sh-5.1",
    "x" * COLUMNS,
    "=" * COLUMNS,
    "error: ",
    ": ",
    "\r",
    "\ud800",
]
screens = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
anything = screens | st.text(st.characters(exclude_categories=()))


@given(anything, st.lists(anything, max_size=5))
def test_any_text_can_be_read(observation, lines):
    found = outputs(observation, lines)
    assert len(found) == len(lines)
    assert all(output is None or output in "\n" + observation for output in found)
    assert at_shell(observation) in (True, False, None)
    shown = directory(observation)
    assert shown is None or shown.startswith("/")


MANY = 1_000_000
LONG = {
    "spaces": " ",
    "bare prompts": "$ ",
    "rows of bare prompts": "\n$ ",
    "one row": "a",
    "blank rows": "\n",
    "names": "a@b:/",
    "prompts": "a@b:/# ",
    "brackets": "[a@b ",
    "full rows": "x" * COLUMNS + "\n",
    "environments": "(a) ",
    "colons": "a: ",
    "messages": "x: cannot execute",
    "modules": "a.",
    "quotes": "mv: 'a' and 'b",
    "results": "=== 1 failed, ",
    "processes": "Process returned ",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", LONG.values(), ids=list(LONG))
def test_a_million_characters_do_not_hang(piece):
    text = new(piece * (MANY // len(piece)))
    assert len(outputs(text, ["ls", "x" * 500, "a\nb"])) == 3
    assert directory(text) in (None, "/")
    assert at_shell(text) in (True, False, None)
    assert isinstance(failures(text), list)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded trials at ../shared/data/trajectories")
def test_recorded_screens():
    """Of what was typed in the recorded trials at a shell, all but what no prompt echoed is found."""
    lines = matched = 0
    for trajectory in read_trajectories(RECORDED).trajectories:
        screen = trajectory.prompt
        for turn in trajectory.turns:
            last = screen.split("\n\nAre you sure")[0].rstrip().rpartition("\n")[2]
            if last.endswith("#"):
                shown = last.rpartition(":")[2][:-1]
                assert at_shell(screen) is True
                assert directory(screen) == shown.replace("~", "/root")
                typed = [c.keystrokes for c in turn.commands if c.keystrokes.endswith("\n")]
                found = outputs(turn.observation, typed)
                lines += len(found)
                matched += sum(output is not None for output in found)
            elif "Terminal" in screen:
                assert at_shell(screen) is False
            screen = turn.observation
    assert lines > 100
    assert matched / lines > 0.9
