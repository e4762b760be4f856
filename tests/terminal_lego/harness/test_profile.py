from pathlib import Path

import pytest

from terminal_lego.errors import ConfigError
from terminal_lego.harness.profile import FIELDS, PARSERS, Profile
from terminal_lego.reply import Reply, parse_reply
from terminal_lego.task_config import McpServer


@pytest.fixture
def native() -> Profile:
    return Profile.native()


def folder_with(folder: Path, **templates: str) -> Path:
    for message, fields in FIELDS.items():
        text = templates.get(message, " ".join(f"{{{field}}}" for field in sorted(fields)))
        (folder / f"{message}.md").write_text(text)
    return folder


def test_the_initial_prompt_holds_the_task_before_the_terminal(native: Profile):
    prompt = native.initial("Make {a} file\n", "$ {}\n\n")
    assert prompt.index("Make {a} file\n") < prompt.index("$ {}\n\n")
    assert prompt.endswith("\n")
    assert "{{" not in prompt


def test_the_initial_prompt_is_short(native: Profile):
    assert len(native.initial("", "")) < 1_200


def test_the_example_in_the_initial_prompt_is_a_valid_reply(native: Profile):
    example = native.templates["initial"].format(instruction="", terminal_state="")
    reply = parse_reply(example[example.index("{") : example.index("\n}\n") + 2])
    assert (reply.error, reply.warning, reply.task_complete) == ("", "", False)
    assert [command.keystrokes for command in reply.commands] == ["cd /tmp\n", "ls -la\n"]


def test_feedback_shows_error_and_warnings(native: Profile):
    feedback = native.error(Reply(error="no {JSON}", warning="- a\n- b"))
    assert "ERROR: no {JSON}\nWARNINGS: - a\n- b\n" in feedback
    assert "WARNINGS" not in native.error(Reply(error="no"))


def test_warnings_come_before_the_observation(native: Profile):
    assert native.warning(Reply(warning="- a"), "OUT").index("WARNINGS: - a") < native.warning(
        Reply(warning="- a"), "OUT"
    ).index("OUT")


def test_confirm_holds_the_observation(native: Profile):
    assert "\nOUT{}\n" in native.confirm("OUT{}")


def test_length_names_the_limit_and_never_the_error(native: Profile):
    reply = Reply(error="broken", warning="- odd")
    assert "64 tokens" in native.length(64, reply)
    assert "None" not in native.length(None, reply)
    assert native.length(64, reply).endswith("- odd\n")
    assert "broken" not in native.length(64, reply)
    assert native.length(64, reply).startswith(native.length(64, Reply(error="broken")))


def test_half_a_surrogate_pair_in_a_field_name_reaches_no_message(native: Profile):
    reply = parse_reply(r'{"analysis": "", "plan": "", "commands": [{"keystrokes": "", "\ud800": 1}]}')
    assert "Unknown fields" in reply.warning
    native.warning(reply, "").encode()


def test_a_loaded_profile_is_taken_byte_for_byte(tmp_path: Path):
    profile = Profile.load(folder_with(tmp_path, confirm="{{x}}\r\n{observation}"))
    assert profile.confirm("o") == "{x}\r\no"
    assert profile.name == tmp_path.name


def test_the_fingerprint_follows_the_wording_and_not_the_name(tmp_path: Path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    first, same = Profile.load(folder_with(one)), Profile.load(folder_with(other))
    changed = Profile.load(folder_with(other, length="{limit}!"))
    assert first.fingerprint == same.fingerprint
    assert changed.fingerprint != same.fingerprint


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("no placeholder", "has placeholders \\[\\]"),
        ("{observation} {more}", "has placeholders \\['more', 'observation'\\]"),
        ('{"a": 1} {observation}', "literal brace twice"),
        ("{observation", "literal brace twice"),
    ],
)
def test_wrong_placeholders_are_refused(tmp_path: Path, template: str, complaint: str):
    with pytest.raises(ConfigError, match=complaint):
        Profile.load(folder_with(tmp_path, confirm=template))


def test_a_missing_file_is_named(tmp_path: Path):
    folder_with(tmp_path)
    (tmp_path / "warning.md").unlink()
    with pytest.raises(ConfigError, match=r"warning\.md"):
        Profile.load(tmp_path)


def test_a_missing_message_is_named():
    with pytest.raises(ConfigError, match="there is no initial message"):
        Profile("mine", "json", {})


def test_what_only_long_conversations_show_defaults_to_the_native_wording(tmp_path: Path, native: Profile):
    folder_with(tmp_path)
    (tmp_path / "handover.md").unlink()
    assert Profile.load(tmp_path).handover("I") == native.handover("I") != "I"
    assert Profile.load(tmp_path).resume("A") == "A"


def test_a_summary_carries_what_it_is_given(native: Profile):
    assert "{I}" in native.handover("{I}")
    for part in ("{I}", "{S}", "{T}"):
        assert part in native.questions("{I}", "{S}", "{T}")
    assert "{Q}" in native.answers("{Q}")
    assert "{A}" in native.resume("{A}")
    for text in (native.brief("{I}", "{T}"), native.briefed("{I}", "{T}"), native.bare("{I}", "{T}")):
        assert text.index("{I}") < text.index("{T}")


def test_the_apology_is_no_reply(native: Profile):
    for parser in PARSERS:
        profile = Profile.native(parser)
        assert profile.parse(profile.apology).error


def test_servers_are_listed_by_how_they_are_reached(native: Profile):
    files = McpServer(name="files", transport="stdio", command="serve", args=["-r", "/app"])
    search = McpServer(name="search", transport="http", url="http://search:80/mcp")
    heading, *lines = native.servers([files, search]).strip().splitlines()
    shown = "\n".join(lines)
    assert "files" not in heading
    assert shown.index("serve -r /app") < shown.index("http://search:80/mcp")
    assert "streamable-http" in shown
    assert native.servers([]) == ""


def test_the_xml_example_is_a_valid_reply_of_the_xml_profile():
    native = Profile.native("xml")
    reply = native.parse(native.initial("", ""))
    assert (reply.error, reply.task_complete) == ("", False)
    assert [command.keystrokes for command in reply.commands] == ["cd /tmp\n", "ls -la\n"]
    assert "JSON" not in native.error(Reply(error="no")) + native.confirm("") + native.initial("", "")


def test_a_profile_reads_replies_in_its_own_format():
    xml = "<response><analysis>a</analysis><plan>p</plan><commands></commands></response>"
    assert not Profile.native("xml").parse(xml).error
    assert Profile.native().parse(xml).error
    assert Profile.native("xml").salvage(xml + "cut") == xml
    assert Profile.native().salvage(xml + "cut") is None


def test_settings_of_a_folder_choose_parser_and_quirks(tmp_path: Path):
    folder_with(tmp_path)
    (tmp_path / "profile.toml").write_text('parser = "xml"\nquirks = ["wait-newline"]\n')
    profile = Profile.load(tmp_path)
    assert (profile.parser, profile.quirks) == ("xml", {"wait-newline"})
    assert Profile.native().quirks == set()


def test_the_wait_quirk_reaches_the_parser(native: Profile):
    waiting = '{"analysis": "", "plan": "", "commands": [{"keystrokes": "", "duration": 1}, %s]}'
    waiting %= '{"keystrokes": "ls\\n", "duration": 1}'
    quirky = Profile("quirky", "json", native.templates, frozenset({"wait-newline"}))
    assert native.parse(waiting).warning == ""
    assert "newline" in quirky.parse(waiting).warning


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ('parser = "yaml"', "'yaml' is not one of json, xml"),
        ('quirks = ["haste"]', "\\['haste'\\] are not among"),
        ('quirks = "haste"', "a list of names"),
        ("speed = 1", "and nothing else"),
        ("parser =", r"profile\.toml"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, settings: str, complaint: str):
    (folder_with(tmp_path) / "profile.toml").write_text(settings)
    with pytest.raises(ConfigError, match=complaint):
        Profile.load(tmp_path)
