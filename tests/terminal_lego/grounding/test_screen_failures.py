import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import terminal_lego.grounding
from terminal_lego.grounding.screen import COLUMNS, at_shell, failure, failures
from terminal_lego.harness.profile import Profile
from terminal_lego.reply import parse_reply

AT = "root@cpu1:/app#"


def shown(*rows: str) -> str:
    return "New Terminal Output:\n\n" + "\n".join(rows) + "\n" * 30


TABLE = Path(terminal_lego.grounding.__file__).parent / "failures.toml"
ENTRIES = tomllib.loads(TABLE.read_text(encoding="utf-8"))["failure"]


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["name"] for entry in ENTRIES])
def test_examples_of_failure_are_found_by_name(entry):
    assert entry["examples"]
    for example in entry["examples"]:
        assert failure(example) == entry["name"]
        assert failure(f"all is well\n{example}\n  more") == entry["name"]
        assert failures(shown(f"{AT} run", example, AT)) == [entry["name"]]


@pytest.mark.parametrize(
    "row",
    [
        "",
        "all done",
        "0 errors, 0 warnings",
        "app.log:12: ERROR could not connect",
        "12:bash: x: command not found",
        "app.log:bash: x: command not found",
        "app.log:12:mv: x: Permission denied",
        "    raise ValueError('Traceback (most recent call last):')",
        "Traceback is a word",
        "# error: is written here",
        "  error: indented in a file",
        "2026-01-02 03:04:05 app: error: a log line",
        "1234abc error: message of a commit",
        "+fatal: in a diff",
        "=================== 3 passed, 2 warnings in 0.10s ===================",
        "errors.py",
        "Error handling in Python",
        "ERROR_CODES = {}",
        "Killed by the moderator",
        "make: Nothing to be done for 'all'.",
        "make: 'povray' is up to date.",
        "note: permission denied is a message",
        "-rw-r--r-- 1 root root 0 Jan  1 00:00 error: no",
        "exit status 0",
        "Process exited with code 0",
        f"{AT} echo fatal: x",
        "> error: inside a heredoc",
    ],
)
def test_no_false_alarm(row):
    assert failure(row) is None
    assert failures(shown(f"{AT} run", row, AT)) == []


def test_a_wrapped_message_is_read_whole():
    message = f"cat: /srv/{'deep/' * 40}x: No such file or directory"
    assert len(message) > COLUMNS
    assert failure(f"{message[:COLUMNS]}\n{message[COLUMNS:]}") == "no such file"


def test_a_ruled_line_does_not_swallow_the_next_row():
    assert failure("=" * COLUMNS + "\nERROR: file or directory not found: tests/x.py") == "no such file"


def test_failures_come_in_order_and_the_first_is_the_failure():
    output = "make: *** [all] Error 1\nbash: x: command not found\nmake: *** [b] Error 2"
    assert failures(shown(f"{AT} make", output, AT)) == ["make", "command not found", "make"]
    assert failure(output) == "make"


def test_feedback_on_a_reply_is_no_failed_command():
    preview = json.dumps({"analysis": "cat: x: No such file or directory", "commands": 1})
    for text in (preview, preview + "}", "{" + preview, "", "[]", "{}"):
        reply = parse_reply(text)
        if reply.error:
            assert failures(Profile.native().error(reply)) == []
            assert at_shell(Profile.native().error(reply)) is None


@given(st.text(st.sampled_from("a1 :.\n'[]()=") | st.characters(exclude_categories=())))
def test_any_text_has_failures_or_none(text):
    names = {entry["name"] for entry in ENTRIES}
    assert failure(text) in names | {None}
    assert set(failures(shown(text))) <= names
