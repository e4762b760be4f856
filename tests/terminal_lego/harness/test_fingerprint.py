import json
from pathlib import Path

import pytest

from terminal_lego.cli import main
from terminal_lego.harness.fingerprint import fingerprint_of, identify
from terminal_lego.harness.profile import PARSERS, Profile
from terminal_lego.trajectory import Trajectory
from tests.terminal_lego.cli.made import write


def conversation(number: int, model: str, prompt: str) -> Trajectory:
    return Trajectory(str(number), "task", model, prompt, ())


@pytest.mark.parametrize("parser", PARSERS)
def test_native_prompts_are_known_whatever_the_task(parser: str):
    profile = Profile.native(parser)
    assert identify(profile.head) == f"native-{parser}"
    assert identify(profile.initial("Any {task}\n", "$ ")) == f"native-{parser}"


@pytest.mark.parametrize("prompt", ["", "Do it.", "You are an AI assistant", "\ud800"])
def test_other_prompts_are_unknown(prompt: str):
    assert identify(prompt) == "unknown"


def test_a_changed_word_is_unknown(tmp_path: Path):
    native = Profile.native()
    changed = Profile("mine", "json", {**native.templates, "initial": "Well. " + native.templates["initial"]})
    assert identify(changed.head) == "unknown"
    reworded = Profile("mine", "json", {**native.templates, "confirm": "Sure? {observation}"})
    assert identify(reworded.head) == "native-json"


def test_conversations_are_counted_by_wording():
    json, xml = (Profile.native(parser).initial("Do it.", "$") for parser in PARSERS)
    prompts = [json, json, xml, "Hello"]
    counts = fingerprint_of(conversation(number, "m", prompt) for number, prompt in enumerate(prompts))
    assert counts == {"native-json": 2, "native-xml": 1, "unknown": 1}


@pytest.fixture
def mixed(tmp_path: Path) -> str:
    prompt = Profile.native().initial("Do it.", "$")
    rows = [("b", prompt), ("a", "Hello"), ("a", prompt), ("a", prompt)]
    return write(tmp_path / "rows.parquet", *(conversation(number, *row) for number, row in enumerate(rows)))


def test_the_table_names_profile_parser_and_share(mixed: str, capsys: pytest.CaptureFixture[str]):
    assert main(["harness", "fingerprint", mixed]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[-4:]]
    assert rows == [
        ["model", "profile", "parser", "trials", "share"],
        ["a", "native", "json", "2", "66.7%"],
        ["a", "unknown", "?", "1", "33.3%"],
        ["b", "native", "json", "1", "100.0%"],
    ]


def test_json_stands_alone_on_the_output(mixed: str, capsys: pytest.CaptureFixture[str]):
    assert main(["harness", "fingerprint", "--json", mixed]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"a": {"native-json": 2, "unknown": 1}, "b": {"native-json": 1}}
    assert "4 met" in said.err
