import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.grounding.event import ACTION, OBSERVATION, Event
from terminal_lego.grounding.events import read_events
from terminal_lego.grounding.tor import tor
from terminal_lego.trajectory import Trajectory, Turn

HOST = "root@box:"


def reply(*keystrokes: str) -> str:
    commands = [{"keystrokes": text, "duration": 0.1} for text in keystrokes]
    return json.dumps({"analysis": "", "plan": "", "commands": commands})


def screen(cwd="/app", before="") -> str:
    return f"New Terminal Output:\n{before}{HOST}{cwd}# "


def events(*turns: tuple[str, ...] | tuple[tuple[str, ...], str], prompt=None) -> tuple[Event, ...]:
    """Each turn: its keystrokes, or (keystrokes, observation)."""
    pairs = [turn if turn and isinstance(turn[0], tuple) else (turn, screen()) for turn in turns]
    trajectory = Trajectory(
        "t", "task", "m", prompt or screen(), tuple(Turn(reply(*keys), seen) for keys, seen in pairs)
    )
    return read_events(trajectory)


def brief(found: tuple[Event, ...]) -> list[tuple[str, ...]]:
    return [(event.program, *event.paths) for event in found]


def test_paths_are_absolute_by_the_prompt_on_the_screen():
    assert brief(events(("cat a.txt\n",), prompt=screen("/srv"))) == [("cat", "/srv/a.txt")]


def test_the_screen_knows_better_than_keystrokes():
    found = events((("cd /nowhere\n",), screen("/app")), (("cat a\n",), screen()))
    assert brief(found)[-1] == ("cat", "/app/a")


def test_cd_holds_within_a_reply():
    assert brief(events(("cd src\n", "cat a\n", "cd ..\n", "cat b\n")))[1::2] == [
        ("cat", "/app/src/a"),
        ("cat", "/app/b"),
    ]


def test_cd_in_a_subshell_is_forgotten_after_it():
    assert brief(events(("(cd src && cat a); cat b\n",))) == [
        ("cd",),
        ("cat", "/app/src/a"),
        ("cat", "/app/b"),
    ]


def test_cd_in_a_pipeline_changes_nothing():
    assert brief(events(("echo x | cd src\n", "cat b\n")))[-1] == ("cat", "/app/b")


def test_lines_are_counted_over_the_whole_trajectory():
    found = events(("a && b | c\nd\n", "e\n"), ("f; g\n",))
    assert [(event.turn, event.line) for event in found] == [
        (0, 0), (0, 0), (0, 0), (0, 1), (0, 2), (1, 3), (1, 3),
    ]  # fmt: skip


def test_places_are_characters_of_the_keystrokes():
    (one, two) = events(("echo é; cat ü\n",))
    assert [(e.command, "echo é; cat ü\n"[e.start : e.end]) for e in (one, two)] == [
        (0, "echo é"),
        (0, "cat ü"),
    ]


def test_a_command_typed_in_pieces_belongs_to_the_first():
    (found,) = events(("cat a", ".txt", "\n"))
    assert (found.command, found.start, found.end, found.paths) == (0, 0, 5, ("/app/a.txt",))


def test_what_is_typed_into_an_editor_is_no_command():
    found = events(("vim a.py\n", "irm -rf /\n", "Escape", ":wq\n", "cat a.py\n"))
    assert brief(found) == [("vim", "/app/a.py"), ("cat", "/app/a.py")]


def test_an_editor_left_open_keeps_the_keyboard_until_a_prompt_is_seen():
    inside = "New Terminal Output:\n~\n~\n-- INSERT --"
    found = events((("vim a.py\n",), inside), (("rm -rf /\n",), screen()), (("ls\n",), screen()))
    assert [event.program for event in found] == ["vim", "ls"]


@pytest.mark.parametrize(
    ("typed", "programs"),
    [
        (("python3\n", "import os\n", "exit()\n", "ls\n"), ["python3", "ls"]),
        (("python3\n", "import os\n", "C-d", "ls\n"), ["python3", "ls"]),
        (("python3 x.py\n", "ls\n"), ["python3", "ls"]),
        (("python3 -c 'print(1)'\n", "ls\n"), ["python3", "ls"]),
        (("python3 - <<'E'\nprint(1)\nE\n", "ls\n"), ["python3", "ls"]),
        (("echo 1 | python3\n", "ls\n"), ["python3", "ls"]),
        (("sqlite3 a.db\n", ".tables\n", ".quit\n", "ls\n"), ["sqlite3", "ls"]),
        (("sqlite3 a.db 'select 1'\n", "ls\n"), ["sqlite3", "ls"]),
        (("nano a\n", "hello", "C-x", "y\n"), ["nano", "y"]),
        (("less a\n", "q", "ls\n"), ["less", "ls"]),
        (("git log | less\n", "ls\n"), ["git", "less", "ls"]),
    ],
)
def test_programs_that_take_the_keyboard(typed, programs):
    found = [event.program for event in events(typed) if event.program != "echo"]
    assert found == programs


def test_running_what_was_just_written_is_a_verification():
    found = events(("cat > t.py <<'E'\nprint(1)\nE\n",), ("python3 t.py\n",))
    assert [event.kind for event in found] == ["action", "verification"]


def test_redirections_are_known():
    assert [event.redirects for event in events(("ls > a; ls > /dev/null; ls 2>&1; ls\n",))] == [
        True, False, False, False,
    ]  # fmt: skip


def test_failures_are_read_off_the_screen():
    shown = (
        f"New Terminal Output:\n{HOST}/app# cat a\ncat: a: No such file or directory\n"
        f"{HOST}/app# ls\nb\n{HOST}/app# "
    )
    found = events((("cat a\n", "ls\n"), shown), (("pwd\n",), "New Terminal Output:\nnothing of it"))
    assert [event.failed for event in found] == [True, False, None]


def test_who_does_not_ask_for_failures_gets_none():
    shown = f"New Terminal Output:\n{HOST}/app# cat a\ncat: a: No such file or directory\n{HOST}/app# "
    trajectory = Trajectory("t", "task", "m", screen(), (Turn(reply("cat a\n"), shown),))
    with_failures, without = read_events(trajectory), read_events(trajectory, failures=False)
    assert [event.failed for event in with_failures] == [True]
    assert [event.failed for event in without] == [None]
    assert [event.paths for event in with_failures] == [event.paths for event in without]


def test_a_loop_is_found_on_the_screen_by_its_whole_line():
    line = "for f in a b; do cat $f; done"
    shown = f"New Terminal Output:\n{HOST}/app# {line}\ncat: a: No such file or directory\n{HOST}/app# "
    (found,) = events(((line + "\n",), shown))
    assert found.failed


def test_a_reply_that_does_not_parse_typed_nothing():
    trajectory = Trajectory("t", "task", "m", screen(), (Turn("ls", screen()), Turn(reply("ls\n"))))
    assert [event.turn for event in read_events(trajectory)] == [1]


def test_tor_of_a_trajectory_that_looks_first():
    looking = events(("ls\n", "cat src/x.py\n"), ("sed -i s/a/b/ src/x.py\n",), ("python3 y.py\n",))
    assert [event.kind for event in looking] == [OBSERVATION, OBSERVATION, ACTION, ACTION]
    turns = [("cat x.py\n",), ("sed -i s/a/b/ x.py\n",)]
    made = Trajectory("t", "k", "m", screen(), tuple(Turn(reply(*keys), screen()) for keys in turns))
    assert tor(made) == 1
    assert tor(Trajectory("t", "k", "m", screen(), (Turn(reply(*turns[0], *turns[1])),))) == 0


@given(st.lists(st.lists(st.text(max_size=40), max_size=4), max_size=4), st.text(max_size=60))
def test_never_raises_and_places_lie_in_the_keystrokes(typed, shown):
    turns = tuple(Turn(reply(*keys), shown) for keys in typed)
    for event in read_events(Trajectory("t", "k", "m", shown, turns)):
        keystrokes = turns[event.turn].commands[event.command].keystrokes
        assert 0 <= event.start <= event.end <= len(keystrokes)


@pytest.mark.parametrize("typed", ["{ cd src; }; cat a\n", "if true; then cd src; fi; cat a\n"])
def test_cd_within_a_group_or_a_branch_stays(typed):
    assert brief(events((typed,)))[-1] == ("cat", "/app/src/a")
