import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.grounding.shell.typed import raw_span, typed
from terminal_lego.reply import Command, parse_reply


def commands(*keystrokes: str) -> list[Command]:
    return [Command(text, 1.0, (0, 0)) for text in keystrokes]


def pieces(*keystrokes: str) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for piece in typed(commands(*keystrokes))]


def lines(*texts: str) -> list[tuple[str, str]]:
    return [("input", text) for text in texts]


@pytest.mark.parametrize(
    ("keystrokes", "expected"),
    [
        ([], []),
        ([""], []),
        (["ls\n"], ["ls\n"]),
        (["ls", "\n"], ["ls\n"]),
        (["ls", " -la", "\npwd", "\n"], ["ls -la\n", "pwd\n"]),
        (["ls"], ["ls"]),
        (["ls\n", "pwd\n"], ["ls\n", "pwd\n"]),
        (["ls\npwd\n\ncat"], ["ls\n", "pwd\n", "\n", "cat"]),
        (["ls\r\n"], ["ls\n", "\n"]),
        (["ls", "Enter", "pwd", "C-m"], ["ls\n", "pwd\n"]),
        (["ls", "Space", "-l", "Enter"], ["ls -l\n"]),
        (["Enter\n"], ["Enter\n"]),
        (["C-c\n"], ["C-c\n"]),
        (["echo Up\n"], ["echo Up\n"]),
        (["cat > f <<EOF\n", "a\n", "b\n", "EOF\n", "ls\n"], ["cat > f <<EOF\na\nb\nEOF\n", "ls\n"]),
        (["cat > f <<EOF", "\na\nEO", "F\nls\n"], ["cat > f <<EOF\na\nEOF\n", "ls\n"]),
        (["cat > f <<EOF\n", "a\n", "ls\n"], ["cat > f <<EOF\na\nls\n"]),
        (["cat <<EOF && x\n", "a\n", "EOF\n", "ls\n"], ["cat <<EOF && x\na\nEOF\n", "ls\n"]),
        (["echo 'a\n", "b'\n", "ls\n"], ["echo 'a\nb'\n", "ls\n"]),
        (["echo it's\n", "ls\n", "pwd\n"], ["echo it's\n", "ls\n", "pwd\n"]),
        (["ls &&\n", "pwd\n", "a\\\n", "b\n"], ["ls &&\npwd\n", "a\\\nb\n"]),
        (["for i in 1; do\n", "ls\n", "done\n", "pwd\n"], ["for i in 1; do\nls\ndone\n", "pwd\n"]),
        (["if x; then\n", "ls\n"], ["if x; then\n", "ls\n"]),
        (["f() {\n ls\n}\nf\n"], ["f() {\n ls\n}\n", "f\n"]),
        (["function f {\n ls\n}\nf\n"], ["function f {\n ls\n}\n", "f\n"]),
        (["case x in\n a) b;;\nesac\nls\n"], ["case x in\n a) b;;\nesac\n", "ls\n"]),
        (["(ls\npwd)\nls\n"], ["(ls\npwd)\n", "ls\n"]),
        (["python3\nprint(1)\nexit()\nls\n"], ["python3\n", "print(1)\n", "exit()\n", "ls\n"]),
    ],
)
def test_lines(keystrokes, expected):
    assert pieces(*keystrokes) == lines(*expected)


@pytest.mark.parametrize(
    ("keystrokes", "name"),
    [
        ("C-c", "C-c"),
        ("c-C", "C-c"),
        ("^d", "C-d"),
        ("^D", "C-d"),
        ("M-x", "M-x"),
        ("C-M-x", "C-M-x"),
        ("C-Left", "C-Left"),
        ("escape", "Escape"),
        ("F12", "F12"),
        ("BSpace", "BSpace"),
        ("Tab", "Tab"),
        ("Up", "Up"),
        ("\x03", "C-c"),
        ("\x04", "C-d"),
        ("\x1b", "Escape"),
        ("\x1a", "C-z"),
        ("\x7f", "BSpace"),
        ("\x00", "C-Space"),
    ],
)
def test_keys(keystrokes, name):
    assert pieces(keystrokes) == [("key", name)]


@pytest.mark.parametrize("text", ["C-", "C-cc", "F13", "Up ", "q", "^", "-", "C", "up down"])
def test_what_is_no_key_is_text(text):
    assert pieces(text) == lines(text)


def test_a_key_ends_a_line():
    assert pieces("vim f\n", "ihello it's\x1b", ":wq\n") == [
        ("input", "vim f\n"),
        ("input", "ihello it's"),
        ("key", "Escape"),
        ("input", ":wq\n"),
    ]
    assert pieces("cat <<EOF\nabc", "C-c", "ls\n") == [
        ("input", "cat <<EOF\nabc"),
        ("key", "C-c"),
        ("input", "ls\n"),
    ]
    assert pieces("a\x03\x04b\tc") == [("input", "a"), ("key", "C-c"), ("key", "C-d"), ("input", "b\tc")]


keys = st.sampled_from(["Enter", "C-c", "Up", "Space", "C-d"])
text = st.text(st.sampled_from("ab \n\r'\"\\;|&(){}<E\x03\x1bé"), max_size=12)
replies = st.lists(text | keys | st.sampled_from(["cat <<E\n", "E\n", "if x\n", "fi\n", "ls\n"]), max_size=8)


@given(replies)
def test_every_character_has_its_place(keystrokes):
    shown = []
    for piece in typed(commands(*keystrokes)):
        places = [piece.origin(position) for position in range(len(piece.text))]
        if piece.kind == "key":
            (place,) = set(places)
            shown.append((place, piece.text))
            continue
        for character, (index, at) in zip(piece.text, places, strict=True):
            spelled = keystrokes[index]
            if spelled not in ("Enter", "Space"):
                assert character == spelled[at].replace("\r", "\n")
            shown.append(((index, at), character))
    assert [place for place, _ in shown] == sorted({place for place, _ in shown})
    assert {index for (index, _), _ in shown} == {
        index for index, spelled in enumerate(keystrokes) if spelled
    }


@given(replies)
def test_lines_end_with_a_newline_unless_a_key_or_the_end_follows(keystrokes):
    found = typed(commands(*keystrokes))
    for piece, following in pairwise(found):
        assert piece.kind == "key" or following.kind == "key" or piece.text.endswith("\n")


def escaped(character: str, way: int) -> str:
    """A JSON spelling of a character."""
    short = {
        "\n": r"\n",
        "\t": r"\t",
        '"': r"\"",
        "\\": r"\\",
        "/": r"\/",
        "\b": r"\b",
        "\f": r"\f",
        "\r": r"\r",
    }
    units = character.encode("utf-16-be", "surrogatepass").hex()
    long = "".join(rf"\u{units[at : at + 4]}" for at in range(0, len(units), 4))
    ways = [long, long.upper().replace("U", "u")]
    if character in short:
        ways.append(short[character])
    if character >= " " and character not in '"\\':
        ways.append(character)
    return ways[way % len(ways)]


characters = st.sampled_from('ab\n\t"\\/é日😀\x03\x1b{}:,') | st.characters(exclude_categories=[])


@given(
    st.lists(st.tuples(characters, st.integers(0, 3)), max_size=12),
    st.sampled_from(
        [
            "{}",
            '{{"duration": 1.5, {}}}',
            '{{"keystrokes": "no", "x": [{{"keystrokes": 1}}], {} , "y": "\\""}}',
        ]
    ),
    st.sampled_from(["", "Let me look.\n"]),
    st.data(),
)
def test_raw_spans_spell_the_keystrokes(spelling, form, prose, data):
    # A high surrogate spelled beside a low one reads as one character.
    keystrokes = json.loads('"' + "".join(escaped(*item) for item in spelling) + '"')
    if len(keystrokes) != len(spelling):
        return
    field = '"keystrokes" : "' + "".join(escaped(*item) for item in spelling) + '"'
    command_object = form.format(field) if form != "{}" else "{" + field + "}"
    reply = f'{prose}{{"analysis": "a", "plan": "p", "commands": [{{"keystrokes": "ls"}}, {command_object}]}}'
    command = parse_reply(reply).commands[1]
    assert command.keystrokes == keystrokes
    start = data.draw(st.integers(0, len(keystrokes)))
    end = data.draw(st.integers(start, len(keystrokes)))
    begin, stop = raw_span(reply, command, start, end)
    assert command.span[0] < begin <= stop < command.span[1]
    assert json.loads(f'"{reply[begin:stop]}"') == keystrokes[start:end]


def test_raw_span_of_a_reply_that_was_cut_off():
    reply = '{"analysis": "", "plan": "", "commands": [{"keystrokes": "a\\nb"}], "task_complete": true'
    (command,) = parse_reply(reply).commands
    begin, stop = raw_span(reply, command, 1, 3)
    assert reply[begin:stop] == "\\nb"


def test_raw_span_without_keystrokes_is_the_command():
    assert raw_span("{}", Command("ls", 1.0, (0, 2)), 0, 2) == (0, 2)
