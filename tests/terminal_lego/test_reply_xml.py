import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.reply import Reply
from terminal_lego.reply_xml import parse_xml_reply, salvage_xml_reply

LS = '<keystrokes duration="0.1">ls\n</keystrokes>'
NO_RESPONSE = "No <response> tag found"
BEFORE = "- Extra text detected before <response> tag"
AFTER = "- Extra text detected after </response> tag"
EMPTY = (
    "- Commands section is empty; not taking any action. If you want to wait a specific amount of time "
    "please use `sleep`, but if you're waiting for a command to finish then continue to wait."
)


def only_one(name: str, count: int) -> str:
    issued = f"You issued {count} and only the first was executed."
    return f"- IMPORTANT: Only issue one <{name}> block at a time. {issued}"


def parts(commands: str = LS, more: str = "") -> str:
    return f"<analysis>a</analysis>\n<plan>p</plan>\n<commands>\n{commands}\n</commands>{more}"


def xml(commands: str = LS, more: str = "") -> str:
    return f"<response>\n{parts(commands, more)}\n</response>"


CLEAN = xml()
COMPLETE = "<task_complete>true</task_complete>"
NO_COMMANDS = "<response><analysis>a</analysis><plan>p</plan>{}</response>"


def keystrokes(reply: Reply) -> list[str]:
    return [command.keystrokes for command in reply.commands]


def test_a_clean_reply_is_read_whole():
    reply = parse_xml_reply(CLEAN)
    assert (reply.analysis, reply.plan, reply.task_complete) == ("a", "p", False)
    assert [(command.keystrokes, command.duration) for command in reply.commands] == [("ls\n", 0.1)]
    assert reply.error == reply.warning == ""


EXECUTED = {
    "fence": (f"```xml\n{CLEAN}\n```", f"{BEFORE}\n{AFTER}"),
    "blank text around": (f"\n{CLEAN}\n ", ""),
    "closing tag missing": (CLEAN.removesuffix("</response>"), ""),
    "two responses": (CLEAN + CLEAN, f"{AFTER}\n{only_one('response', 2)}"),
    "two command blocks": (
        xml(more=f"<commands>{LS}{LS}</commands>"),
        only_one("commands", 2),
    ),
    "two plans": (xml(more="<plan>q</plan>"), "- Multiple <plan> sections found"),
    "no analysis": (
        f"<response><plan>p</plan><commands>{LS}</commands></response>",
        "- Missing <analysis> section",
    ),
    "unknown tag": (
        xml(more="<mood>good</mood>"),
        "- Unknown tag found: <mood>, expected analysis/plan/commands/task_complete",
    ),
    "wrong order": (
        f"<response><plan>p</plan><analysis>a</analysis><commands>{LS}</commands></response>",
        "- Sections appear in wrong order. Found: plan → analysis → commands, "
        "expected: analysis → plan → commands",
    ),
    "unquoted attribute": (
        xml(LS.replace('"', "")),
        "- Command 1: Attribute 'duration' value should be quoted: duration=\"0.1\"\n"
        "- Command 1: Missing duration attribute, using default 1.0",
    ),
    "single quotes": (
        xml(LS.replace('"', "'")),
        "- Command 1: Use double quotes for attribute 'duration': duration=\"0.1\"",
    ),
    "unknown attribute": (
        xml(LS.replace(" d", ' mode="x" d')),
        "- Command 1: Unknown attribute 'mode' - known attributes are: duration",
    ),
    "duration absent": (
        xml(LS.replace(' duration="0.1"', "")),
        "- Command 1: Missing duration attribute, using default 1.0",
    ),
    "duration is a word": (
        xml(LS.replace("0.1", "soon")),
        "- Command 1: Invalid duration value 'soon', using default 1.0",
    ),
    "entity": (
        xml(LS.replace("ls", "a &lt; b")),
        "- Warning: &lt; is read verbatim and not converted to <. NEVER USE &lt;, unless you want these "
        "exact characters to appear directly in the output.",
    ),
    "carriage return written out": (
        xml(LS.replace("ls", r"ls\r\n")),
        r"- Warning: \r\n line endings are not necessary - use \n instead for simpler output",
    ),
    "no newline before another command": (
        xml(LS.replace("\n", "") + LS),
        "- Command 1 should end with newline when followed by another command. "
        "Otherwise the two commands will be concatenated together on the same line.",
    ),
    "an empty wait before another command": (
        xml('<keystrokes duration="1"></keystrokes>' + LS),
        "- Command 1 should end with newline when followed by another command. "
        "Otherwise the two commands will be concatenated together on the same line.",
    ),
}


@pytest.mark.parametrize("case", EXECUTED)
def test_executed_with_these_warnings(case: str):
    text, warning = EXECUTED[case]
    reply = parse_xml_reply(text)
    assert (reply.error, reply.warning) == ("", warning)
    assert reply.commands


IDLE = {
    "empty commands": (xml(""), EMPTY),
    "self-closing commands": (NO_COMMANDS.format("<commands />"), EMPTY),
    "empty commands when complete": (xml("", COMPLETE), ""),
    "no commands when complete": (NO_COMMANDS.format(COMPLETE), "- Missing <commands> section"),
    "keystrokes left open": (xml(LS.removesuffix("</keystrokes>")), ""),
}


@pytest.mark.parametrize("case", IDLE)
def test_accepted_without_a_command(case: str):
    text, warning = IDLE[case]
    reply = parse_xml_reply(text)
    assert (reply.error, reply.warning, reply.commands) == ("", warning, ())


@pytest.mark.parametrize(
    ("text", "error", "warning"),
    [
        ("", NO_RESPONSE, ""),
        ("I am done.", NO_RESPONSE, ""),
        ("x <response> \n</response>", NO_RESPONSE, BEFORE),
        (NO_COMMANDS.format(""), "Missing <commands> section", "- Missing <commands> section"),
    ],
    ids=["empty", "prose", "blank response", "no commands"],
)
def test_rejected_with_this_error(text: str, error: str, warning: str):
    reply = parse_xml_reply(text)
    assert (reply.error, reply.warning, reply.commands) == (error, warning, ())


@pytest.mark.parametrize("flag", ["true", "TRUE", " True\n"])
def test_only_true_completes(flag: str):
    assert parse_xml_reply(xml(more=f"<task_complete>{flag}</task_complete>")).task_complete is True


@pytest.mark.parametrize("flag", ["false", "yes", "1", ""])
def test_nothing_else_completes(flag: str):
    assert parse_xml_reply(xml(more=f"<task_complete>{flag}</task_complete>")).task_complete is False


@pytest.mark.parametrize(
    ("written", "read"), [("-1", -1.0), ("inf", math.inf), (" 2 ", 2.0), ("1e3", 1000.0)]
)
def test_durations_are_taken_as_they_are(written: str, read: float):
    (command,) = parse_xml_reply(xml(LS.replace("0.1", written))).commands
    assert command.duration == read


@pytest.mark.parametrize(
    "text", [CLEAN, f"é\n {CLEAN}", CLEAN.removesuffix("</response>"), xml(LS + "\n" + LS)]
)
def test_spans_point_into_the_original_text(text: str):
    commands = parse_xml_reply(text).commands
    assert [text[slice(*command.span)] for command in commands] == [LS] * len(commands)
    assert commands


def test_keystrokes_are_taken_literally():
    text = 'cat > a <<"E"\n<b>&amp;</b>\n\nE\n'
    assert keystrokes(parse_xml_reply(xml(f'<keystrokes duration="1">{text}</keystrokes>'))) == [text]


CUT = {
    "after the closing tag": (CLEAN + "\nAnd then", CLEAN),
    "before the closing tag": (CLEAN[:-3], None),
    "in the commands": (CLEAN[:80], None),
    "two blocks": (xml(more="<commands></commands>") + "\n", None),
    "no commands inside": ("<response></commands></response>", None),
}


@pytest.mark.parametrize("case", CUT)
def test_a_cut_reply_is_salvaged_when_its_first_response_is_whole(case: str):
    text, salvaged = CUT[case]
    assert salvage_xml_reply(text) == salvaged


@pytest.mark.parametrize(
    "inside",
    [
        "<keystrokes>" * 30_000,
        "<keystrokes" * 30_000,
        f"<keystrokes {'a' * 300_000}></keystrokes>",
        f"<keystrokes {'a ' * 150_000}></keystrokes>",
        "</commands><commands>" * 30_000,
        "<" * 300_000,
        "<task_complete>" * 30_000,
    ],
    ids=["open elements", "open tags", "a long name", "names", "blocks", "brackets", "flags"],
)
def test_hostile_replies_are_read_in_no_time(inside: str):
    assert keystrokes(parse_xml_reply(xml(inside))) in ([], [""])


@given(
    st.lists(st.sampled_from([*"<>/'\"= \n", "response", "commands", "<keystrokes", CLEAN]), max_size=30).map(
        "".join
    )
)
def test_never_raises_and_spans_always_slice_back(text: str):
    for command in parse_xml_reply(text).commands:
        element = text[slice(*command.span)]
        assert element.startswith("<keystrokes")
        assert element.endswith(f">{command.keystrokes}</keystrokes>")
