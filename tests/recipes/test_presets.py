"""recipes/README.md says which words fit which student on which GPUs: every figure of it is planned again."""

import re
from dataclasses import replace

import pytest

from tests.recipes.test_recipes import sources
from tests.train.shapes import QWEN3_8B, QWEN3_32B
from train import compose
from train.config import TrainConfig
from train.memory import memory
from train.model_shape import ModelShape
from train.parallel import sequences_per_step
from train.plan import plan
from train.slurm import other_gpus

SHAPES = {
    "4b": ModelShape(2560, 36, 32, 8, 128, 9728, 151936, tied=True, qk_norm=True),
    "8b": QWEN3_8B,
    "14b": ModelShape(5120, 40, 40, 8, 128, 17408, 151936, tied=False, qk_norm=True),
    "32b": QWEN3_32B,
}
ROW = re.compile(r"^\| [^|]+ \| (?:`([^`|]*)`|the recipe as it is) \|((?:[^|]+\|){4})$", re.MULTILINE)
TEXT = (compose.RECIPES / "README.md").read_text()
ROWS = [
    pytest.param(words.split(), figures.split("|")[:-1], id=words or "as it is")
    for words, figures in ROW.findall(TEXT)
]


def planned(config: TrainConfig, shape: ModelShape) -> str:
    """As the table has it: 26, or 26 + 92 with what is in each machine's memory, or no, 101."""
    made = plan([config.sft.max_length] * 64, config, shape, trained_tokens=1)
    assert sequences_per_step(config.sft, config.parallel, made.gpus) == 64, "as many as the recipe has"
    figure = f"{made.memory.total:.0f}"
    if config.parallel.offload:
        figure += f" + {made.memory.host * made.gpus / config.parallel.nodes:.0f}"
    return figure if made.memory.fits(made.memory_gib) else f"no, {figure}"


@pytest.mark.parametrize(("words", "figures"), ROWS)
def test_the_table_is_what_is_planned(words, figures):
    config = sources("deepseek_teacher", *words)
    assert [figure.strip() for figure in figures] == [planned(config, shape) for shape in SHAPES.values()]
    if config.launcher.kind == "slurm":
        assert other_gpus(config) is None


def test_the_students_differ_in_nothing_that_is_planned_with():
    students = [sources("deepseek_teacher", f"student=qwen3_{name}").student for name in SHAPES]
    assert [student.name_or_path for student in students] == [f"Qwen/Qwen3-{name.upper()}" for name in SHAPES]
    assert len({repr(replace(student, name_or_path="x")) for student in students}) == 1


def test_every_hardware_and_way_is_in_the_table():
    typed = [word for row in ROWS for word in row.values[0]]
    for word in ("hardware=h200x1", "hardware=h200x8", "hardware=h100x32", "tuning=lora"):
        assert word in typed
    for engine in ("ddp", "zero3_offload", "zero3_ulysses"):
        assert f"parallel={engine}" in typed
    assert [] in [row.values[0] for row in ROWS], "the recipe as it is"


def test_the_activations_are_those_of_the_arithmetic():
    config = sources("deepseek_teacher")
    held = [memory(shape, config, config.sft.max_length, 8).parts["activations"] for shape in SHAPES.values()]
    assert f"{', '.join(f'{gib:.0f}' for gib in held)} GiB of activations" in TEXT
