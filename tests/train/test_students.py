"""The students' blocks, and the settings that say what becomes of thoughts and of length."""

import pytest
from omegaconf import OmegaConf

from terminal_lego.errors import ConfigError
from train import compose
from train.config import StudentConfig

QWEN3 = {f"qwen3_{size}": f"Qwen/Qwen3-{size.upper()}" for size in ("0.6b", "1.7b", "4b", "8b", "14b", "32b")}
ROWS = f"data.path={compose.HOME / 'recipes' / 'quickstart' / 'trajectories'}"


@pytest.mark.parametrize("student", QWEN3)
def test_a_qwen3_student_is_trained_with_our_template_and_without_thoughts(student):
    config = compose.load([f"student={student}", ROWS]).student
    assert config.name_or_path == QWEN3[student]
    assert config.chat_template == str(compose.HOME / "train" / "templates" / "chatml.jinja")
    assert (config.model_limit, config.thinking, config.precision) == (40960, "off", "bf16")


def test_every_qwen3_block_is_known_here():
    blocks = {path.stem for path in (compose.CONF / "student").glob("qwen3_*.yaml")}
    assert blocks == set(QWEN3)


def test_a_student_by_path_or_name_takes_any_block(tmp_path):
    for name in (str(tmp_path), "Org/Another-9B"):
        words = [
            "student=qwen3_8b",
            f"student.name_or_path={name}",
            "student.model_limit=65536",
            "student.chat_template=null",
        ]
        config = compose.load([*words, ROWS]).student
        assert (config.name_or_path, config.chat_template, config.max_length) == (name, None, 32768)


@pytest.mark.parametrize("thinking", ["off", "keep", "last_turn"])
def test_a_policy_for_thoughts_is_chosen_by_name(thinking):
    assert compose.load([f"student.thinking={thinking}", ROWS]).student.thinking == thinking
    written = OmegaConf.merge(
        OmegaConf.structured(StudentConfig(name_or_path="x")), OmegaConf.create(f"thinking: {thinking}")
    )
    assert OmegaConf.to_object(written).thinking == thinking


def test_another_policy_is_refused():
    with pytest.raises(ConfigError, match=r"student\.thinking=on .*off, keep, last_turn"):
        compose.load(["student.thinking=on", ROWS])
    with pytest.raises(ConfigError, match=r"sft\.length=shorten .*drop, cut"):
        compose.load(["sft.length=shorten", ROWS])


def test_too_long_is_dropped_by_default():
    assert compose.load([ROWS]).sft.length == "drop"
    assert compose.load(["sft.length=cut", ROWS]).sft.length == "cut"
