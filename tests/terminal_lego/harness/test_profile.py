from pathlib import Path

import pytest

from terminal_lego.errors import ConfigError
from terminal_lego.harness.profile import FIELDS, Profile
from terminal_lego.reply import Reply, parse_reply


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
    reply = Reply(error="cut", warning="- odd")
    assert "64 tokens" in native.length(64, reply)
    assert "maximum output length" in native.length(None, reply)
    assert "- odd" in native.length(64, reply)
    assert "cut\n" not in native.length(64, reply)


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
    changed = Profile.load(folder_with(other, length="{limit}{feedback}!"))
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
        Profile("mine", {})
