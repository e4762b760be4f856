import tomllib
from pathlib import Path

import pytest

from terminal_lego.grounding.shell.parse import parse
from terminal_lego.grounding.shell.words import SimpleCommand, Word

TABLES = tomllib.loads(Path(__file__).with_name("parsed.toml").read_text(encoding="utf-8"))
CASES = [(text, expected) for table in TABLES.values() for text, expected in table.items()]


def shown(command: SimpleCommand) -> str:
    operator = {"": "", "\n": " \\n"}.get(command.operator, f" {command.operator}")
    parts = [f"{command.line}{'.' * command.depth}{operator}"]
    parts += [f"{name}={value}" for name, value in command.assignments]
    parts += [value(word) for word in command.words]
    for redirection in command.redirections:
        target = value(redirection.target) if redirection.target else ""
        parts.append(f"{'' if redirection.fd is None else redirection.fd}{redirection.operator}{target}")
    if command.heredoc is not None:
        parts.append(repr(command.heredoc))
    return " ".join(parts)


def value(word: Word) -> str:
    return f"<{word.text}>" if not word.text or any(blank in word.text for blank in " \n\t") else word.text


def test_the_table_is_large():
    assert len(CASES) >= 140


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[repr(text) for text, _ in CASES])
def test_commands_are_those_of_the_table(text, expected):
    assert [shown(command) for command in parse(text)] == expected


@pytest.mark.parametrize(
    ("text", "literal", "glob"),
    [
        ("src/main.py", True, False),
        ("'$x *.py {a,b}'", True, False),
        ('"*.py"', True, False),
        (r"\*.py\$x", True, False),
        ("*.py", True, True),
        ("file?", True, True),
        ("[ab].c", True, True),
        ("[", True, False),
        ("{}", True, False),
        ("{a}", True, False),
        ("{a,b}.c", False, False),
        ("{1..9}", False, False),
        ("$HOME/x", False, False),
        ('"$HOME/*"', False, False),
        ("$HOME/*", False, True),
        ("${x}", False, False),
        ('"`pwd`"', False, False),
        ("a$", True, False),
        ("<(ls)", False, False),
    ],
)
def test_words_know_whether_they_are_their_value(text, literal, glob):
    (word,) = parse(f"echo {text}")[0].arguments
    assert (word.literal, word.glob) == (literal, glob)


def spelled(text: str) -> list[str]:
    return [text[command.start : command.end] for command in parse(text)]


def test_a_command_is_spelled_with_its_redirections_and_its_heredoc():
    text = "cd /é && 2>/dev/null A=1 ls 'x y' >out;  cat <<E | wc\nbody\nE\nls\n"
    assert spelled(text) == [
        "cd /é",
        "2>/dev/null A=1 ls 'x y' >out",
        "cat <<E | wc\nbody\nE",
        "wc",
        "ls",
    ]


def test_words_and_targets_are_where_they_are_spelled():
    text = 'ü \'a b\'"c" $(x y) >> "日 本" \\\n z'
    words = [word for command in parse(text) for word in command.words]
    assert [text[word.start : word.end] for word in words] == ["ü", "'a b'\"c\"", "$(x y)", "z", "x", "y"]
    target = parse(text)[0].redirections[0].target
    assert (target.text, text[target.start : target.end]) == ("日 本", '"日 本"')


def test_a_heredoc_without_end_belongs_whole_to_its_command():
    text = "ls\ncat > f <<EOF\nrm -rf /\n$(date)\nls\n"
    first, second, third = parse(text)
    assert (first.name, second.heredoc, third.name) == ("ls", "rm -rf /\n$(date)\nls\n", "date")
    assert (second.start, second.end) == (3, len(text))


def test_name_and_arguments():
    (command,) = parse("A=1 grep -n x")
    assert (command.name, [word.text for word in command.arguments]) == ("grep", ["-n", "x"])
    (command,) = parse("A=1")
    assert (command.name, command.arguments) == ("", ())


@pytest.mark.parametrize(
    ("text", "writes"),
    [
        ("x > f", True),
        ("x >> f", True),
        ("x >| f", True),
        ("x &> f", True),
        ("x >& f", True),
        ("x <> f", True),
        ("x 2>&1", False),
        ("x >&-", False),
        ("x < f", False),
        ("x <<< f", False),
        ("x << f", False),
    ],
)
def test_redirections_know_whether_they_open_a_file_for_writing(text, writes):
    assert parse(text)[0].redirections[0].writes is writes
