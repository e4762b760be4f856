import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.reply import Reply, parse_reply

LS = {"keystrokes": "ls\n", "duration": 0.1}
NO_JSON = "No valid JSON found in response"
NO_OBJECT = "- No valid JSON object found"
REPAIRED = "- AUTO-CORRECTED: {} - please fix this in future responses"
BRACE = REPAIRED.format("Fixed incomplete JSON by adding missing closing brace")
MIXED = REPAIRED.format("Extracted JSON from mixed content")
BEFORE = "- Extra text detected before JSON object"
AFTER = "- Extra text detected after JSON object"


def reply_text(commands: object = (LS,), **fields: object) -> str:
    return json.dumps({"analysis": "a", "plan": "p", "commands": commands, **fields}, ensure_ascii=False)


def keystrokes(reply: Reply) -> list[str]:
    return [command.keystrokes for command in reply.commands]


CLEAN = reply_text()


def test_a_clean_reply_is_read_whole():
    reply = parse_reply(CLEAN)
    assert (reply.analysis, reply.plan, reply.task_complete) == ("a", "p", False)
    assert [(c.keystrokes, c.duration) for c in reply.commands] == [("ls\n", 0.1)]
    assert reply.error == reply.warning == ""


ACCEPTED = {
    "fence": (f"```json\n{CLEAN}\n```", f"{BEFORE}\n{AFTER}"),
    "prose before": (f"Sure: {CLEAN}", BEFORE),
    "thinking": (f"<think>hm</think>{CLEAN}", BEFORE),
    "blank text around": (f"\n\n{CLEAN} \n", ""),
    "odd quote before": (f'It is 5" long {CLEAN}', MIXED),
    "open brace before": ("a { then " + CLEAN, MIXED),
    "two objects": (CLEAN + CLEAN, AFTER),
    "array around": (f"[{CLEAN}]", f"{BEFORE}\n{AFTER}"),
    "final brace missing": (CLEAN[:-1], BRACE),
    "two final braces missing": (reply_text(extra={"a": {}})[:-2], BRACE),
    "unknown top-level field": (reply_text(mood="good"), ""),
    "wrong order": (
        json.dumps({"plan": "p", "analysis": "a", "commands": [LS]}),
        "- Fields appear in wrong order. Found: plan → analysis → commands, "
        "expected: analysis → plan → commands",
    ),
    "analysis not a string": (
        json.dumps({"analysis": 1, "plan": "p", "commands": [LS]}),
        "- Field 'analysis' should be a string",
    ),
    "plan not a string": (
        json.dumps({"analysis": "a", "plan": [], "commands": [LS]}),
        "- Field 'plan' should be a string",
    ),
    "flag is a number": (
        reply_text(task_complete=0),
        "- Field 'task_complete' should be a boolean or string",
    ),
    "duration absent": (
        reply_text([{"keystrokes": "ls\n"}]),
        "- Command 1: Missing duration field, using default 1.0",
    ),
    "duration is a string": (
        reply_text([{"keystrokes": "ls\n", "duration": "2"}]),
        "- Command 1: Invalid duration value, using default 1.0",
    ),
    "unknown command fields": (
        reply_text([{**LS, "is_blocking": True, "note": ""}]),
        "- Command 1: Unknown fields: is_blocking, note",
    ),
    "no newline before another command": (
        reply_text([{"keystrokes": "ls", "duration": 1}, LS]),
        "- Command 1 should end with newline when followed by another command. "
        "Otherwise the two commands will be concatenated together on the same line.",
    ),
    "empty keystrokes before another command": (reply_text([{"keystrokes": "", "duration": 1}, LS]), ""),
    "last command without newline": (reply_text([LS, {"keystrokes": "C-c", "duration": 1}]), ""),
    "no commands": (reply_text([]), ""),
    "brace in a string": (reply_text([{"keystrokes": "echo '}{'\n", "duration": 1}]), ""),
    "quote in a string": (reply_text([{"keystrokes": 'echo "{"\n', "duration": 1}]), ""),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted_with_these_warnings(case: str):
    text, warning = ACCEPTED[case]
    reply = parse_reply(text)
    assert reply.error == ""
    assert reply.warning == warning


def test_early_versions_warn_of_waits_too():
    text = reply_text([{"keystrokes": "", "duration": 1}, LS])
    assert "Command 1 should end with newline" in parse_reply(text, warn_of_waits=True).warning
    assert parse_reply(reply_text([LS, LS]), warn_of_waits=True).warning == ""


def test_the_first_loadable_object_wins_even_when_it_is_useless():
    reply = parse_reply(f"use {{}} here {CLEAN}")
    assert reply.error == "Missing required fields: analysis, plan, commands"
    assert reply.warning == f"{BEFORE}\n{AFTER}"


REJECTED = {
    "empty": ("", NO_JSON, NO_OBJECT),
    "prose": ("I am done.", NO_JSON, NO_OBJECT),
    "list and brace missing": (CLEAN[:-2], NO_JSON, NO_OBJECT),
    "cut inside a string": (CLEAN[:20], NO_JSON, NO_OBJECT),
    "nothing required": (
        '{"commands": []}',
        "Missing required fields: analysis, plan",
        "",
    ),
    "commands not a list": (reply_text("ls"), "Field 'commands' must be an array", ""),
    "command not an object": (reply_text([LS, "ls"]), "Command 2 must be an object", ""),
    "no keystrokes": (
        reply_text([{"duration": 1}]),
        "Command 1 missing required 'keystrokes' field",
        "",
    ),
    "keystrokes not a string": (
        reply_text([LS, {"keystrokes": 5, "duration": 1}]),
        "Command 2 'keystrokes' must be a string",
        "",
    ),
}


@pytest.mark.parametrize("case", REJECTED)
def test_rejected_with_this_error(case: str):
    text, error, warning = REJECTED[case]
    assert parse_reply(text) == Reply(error=error, warning=warning)


@pytest.mark.parametrize(
    "text",
    ['{"analysis": "",}', '{"analysis": "a\nb"}', r'{"analysis": "\d"}'],
    ids=["trailing comma", "raw newline", "bad escape"],
)
def test_what_json_refuses_is_quoted_with_its_reason(text: str):
    with pytest.raises(json.JSONDecodeError) as refused:
        json.loads(text)
    assert parse_reply(text) == Reply(error=f"Invalid JSON: {refused.value} | Content: {text!r}")


def test_long_content_is_previewed():
    content = '{"analysis": "' + "x" * 300 + '\n"}'
    error = parse_reply(content).error
    assert error.endswith(f" | Content preview: {content[:100]!r}...")


@pytest.mark.parametrize("flag", [True, "true", "TRUE", "1", "yes", 1, [0]])
def test_values_that_complete(flag: object):
    assert parse_reply(reply_text(task_complete=flag)).task_complete is True


@pytest.mark.parametrize("flag", [False, None, "no", "false", "", 0, []])
def test_values_that_do_not_complete(flag: object):
    assert parse_reply(reply_text(task_complete=flag)).task_complete is False


def test_a_bad_command_is_only_a_warning_when_complete():
    reply = parse_reply(reply_text([LS, {"duration": 1}], task_complete=True))
    assert reply.task_complete and not reply.error and not reply.commands
    assert reply.warning == "- Command 2 missing required 'keystrokes' field"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("-1", -1.0),
        ("0", 0.0),
        ("3600", 3600.0),
        ("true", 1.0),
        ("Infinity", math.inf),
        ("1" + "0" * 400, math.inf),
    ],
)
def test_durations_are_taken_as_they_are(written: str, read: float):
    text = reply_text([{"keystrokes": "x", "duration": 12345}]).replace("12345", written)
    reply = parse_reply(text)
    assert reply.warning == ""
    assert reply.commands[0].duration == read


def test_nan_is_a_duration():
    text = reply_text([{"keystrokes": "x", "duration": math.nan}])
    assert math.isnan(parse_reply(text).commands[0].duration)


TWO = reply_text([LS, {"keystrokes": "é\n", "duration": 2}], extra="x")


@pytest.mark.parametrize(
    "text", [TWO, f"Sure: {TWO}", f'a 5" disk: {TWO}', f"a {{ then {TWO}", TWO[:-1], f"é{TWO[:-1]}"]
)
def test_spans_point_into_the_original_text(text: str):
    commands = parse_reply(text).commands
    assert [json.loads(text[slice(*c.span)])["keystrokes"] for c in commands] == ["ls\n", "é\n"]


def test_the_last_of_two_command_fields_wins_as_in_json():
    text = '{"analysis": "", "plan": "", "commands": [{"keystrokes": "a", "duration": 1}], "commands": [%s]}'
    text %= json.dumps(LS)
    (command,) = parse_reply(text).commands
    assert json.loads(text[slice(*command.span)]) == LS


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        '{"a":' * 100_000,
        '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
        "{" + "{x}" * 50_000,
        "{a" * 50_000 + "}" * 50_000,
        '{"analysis": ' + "9" * 5_000 + "}",
        "\\" * 100_001,
    ],
    ids=["braces", "objects", "arrays", "children", "nested", "digits", "backslashes"],
)
def test_hostile_replies_are_errors(text: str):
    assert parse_reply(text).error


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
command_objects = st.fixed_dictionaries(
    {"keystrokes": st.text()}, optional={"duration": json_values, "note": json_values}
)
replies = st.fixed_dictionaries(
    {"analysis": st.text(), "plan": st.text(), "commands": st.lists(command_objects, max_size=4)},
    optional={"task_complete": st.booleans() | st.text(), "extra": json_values},
)


@given(reply=replies, indent=st.sampled_from([None, 2]), ascii=st.booleans())
def test_any_well_formed_reply_gives_its_commands_and_their_spans(
    reply: dict, indent: int | None, ascii: bool
):
    text = json.dumps(reply, indent=indent, ensure_ascii=ascii)
    parsed = parse_reply(text)
    assert parsed.error == ""
    assert keystrokes(parsed) == [command["keystrokes"] for command in reply["commands"]]
    assert keystrokes(parsed) == [json.loads(text[slice(*c.span)])["keystrokes"] for c in parsed.commands]


PIECES = [
    "{",
    "}",
    "[",
    "]",
    '"',
    "\\",
    ",",
    ":",
    "\n",
    "NaN",
    "true",
    '"commands"',
    '"keystrokes": ',
    CLEAN,
    CLEAN[:-1],
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join))
def test_never_raises_and_spans_always_slice_back(text: str):
    for command in parse_reply(text).commands:
        assert json.loads(text[slice(*command.span)])["keystrokes"] == command.keystrokes
