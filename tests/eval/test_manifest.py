import json

import pytest

from eval.manifest import differences, manifest_of, open_manifest, read_manifest, weights_digest
from terminal_lego.errors import ConfigError
from terminal_lego.harness.record import TrialSettings
from tests.eval.job_folders import manifest, named_tasks


class Agent:
    name, version, model = "terminus-2", "2", "m"

    def __init__(self, **config):
        self.config = config


def made(agent=None, tasks=("a", "b"), attempts=2, settings=None, **more):
    given = agent or Agent(max_turns=8)
    return manifest_of("s", named_tasks(*tasks), given, attempts, settings or TrialSettings(), **more)


def test_everything_that_decides_the_figures_is_in_it():
    found = made(
        conditions={"temperature": 0.0, "model_defaults": {"top_p": 0.9}}, groups=str.upper, shard="1/2"
    )
    assert found["conditions"] == {
        "agent": "terminus-2",
        "agent_version": "2",
        "attempts": 2,
        "timeout_multiplier": 1.0,
        "hostname": "terminal",
        "max_turns": 8,
        "temperature": 0.0,
        "model_defaults.top_p": 0.9,
    }
    assert found["tasks"] == {"a": "checksum of a", "b": "checksum of b"}
    assert (found["groups"], found["shard"], found["model"]) == ({"a": "A", "b": "B"}, "1/2", "m")


def test_the_same_again_is_accepted_and_anything_else_named(tmp_path):
    open_manifest(tmp_path / "job", made())
    open_manifest(tmp_path / "job", made())
    other = made(Agent(max_turns=9), tasks=("a",), settings=TrialSettings(timeout_multiplier=2))
    with pytest.raises(ConfigError, match=r"another max_turns, timeout_multiplier, set of tasks \(b\);"):
        open_manifest(tmp_path / "job", other)
    assert read_manifest(tmp_path / "job") == made()


def test_another_model_is_another_job_but_not_another_measurement(tmp_path):
    open_manifest(tmp_path, manifest(["a"]))
    other = manifest(["a"], model="n", made_with={"python": "4"})
    assert differences(manifest(["a"]), other) == []
    with pytest.raises(ConfigError, match="another model;"):
        open_manifest(tmp_path, other)


def test_a_task_that_changed_is_named():
    changed = manifest(["a", "b"])
    changed["tasks"]["b"] = "other"
    assert differences(manifest(["a", "b"]), changed) == ["content of tasks (b)"]


def test_a_condition_only_one_side_knows_differs():
    assert differences(manifest(["a"]), manifest(["a"], conditions={"context": 1})) == ["context"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"conditions": {}, "tasks": {}}', '{"conditions": 1}'])
def test_a_damaged_manifest_is_said_to_be_so(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ConfigError, match="is damaged"):
        read_manifest(tmp_path)


def test_a_folder_without_one_is_no_evaluation(tmp_path):
    with pytest.raises(ConfigError, match="is missing; give the folder of an evaluation"):
        read_manifest(tmp_path)


def test_weights_are_told_apart_by_both_ends(tmp_path):
    """A folder trained further in place must not be resumed as if it were the same student."""
    weights = tmp_path / "model.safetensors"
    seen = set()
    for content in (b"a" * 10, b"a" * 9 + b"b", b"b" + b"a" * (3 << 20), b"c" + b"a" * (3 << 20)):
        weights.write_bytes(content)
        seen.add(weights_digest(str(tmp_path)))
    assert len(seen) == 4
    assert weights_digest("name/at-a-server") is None and weights_digest(None) is None


def test_notes_and_checkpoints_beside_the_weights_do_not_count(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    before = weights_digest(str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "README.md").write_text("x")
    assert weights_digest(str(tmp_path)) == before


def test_it_is_json(tmp_path):
    open_manifest(tmp_path, made(Agent(quirks=("a",))))
    assert json.loads((tmp_path / "manifest.json").read_text())["conditions"]["quirks"] == ["a"]
