"""Every recipe is a whole experiment: it composes, and its plan can be made before a GPU is taken."""

import dataclasses
import re

import pytest
from rich.console import Console

from terminal_lego.errors import ConfigError
from terminal_lego.formats import read_trajectories
from terminal_lego.formats.reading import split_model
from terminal_lego.rendering.tokenizer import load_tokenizer
from terminal_lego.trajectory import Trajectory
from train import compose
from train.config import TrainConfig
from train.model_shape import ModelShape, read_shape
from train.plan import plan
from train.plan_table import plan_table
from train.prepare import prepare

NAMES = sorted(path.stem for path in compose.RECIPES.glob("*.yaml"))
TEACHERS = ["deepseek_teacher", "glm_teacher", "qwen_teacher", "claude_teacher"]
LARGE = [name for name in NAMES if name != "quickstart"]
NAMED = ["deepseek", "glm", "qwen", "claude", "claude_inspect_first"]
FILES = ["inspector.parquet", "guesser.parquet"]
SESSIONS = compose.RECIPES / "quickstart" / "trajectories"


def sources(recipe: str, *words: str) -> TrainConfig:
    """The recipe with the shipped sessions in place of its own data, as if each file were one teacher's."""
    named = ",".join(f'"{teacher}={SESSIONS / FILES[index % 2]}"' for index, teacher in enumerate(NAMED))
    return compose.load([f"recipe={recipe}", f"data.path=[{named}]", *words])


@pytest.fixture(scope="module")
def few() -> list[Trajectory]:
    """The sessions of the same 20 tasks, for each teacher."""
    found = [read_trajectories(SESSIONS / name).trajectories for name in FILES]
    tasks = {each.task for each in found[0][:20]}
    return [
        dataclasses.replace(each, model=teacher)
        for index, teacher in enumerate(NAMED)
        for each in found[index % 2]
        if each.task in tasks
    ]


@pytest.mark.parametrize("recipe", NAMES)
def test_a_recipe_is_planned_with_the_tiny_student(recipe, few, tmp_path):
    config = sources(recipe, "student=tiny", "student.precision=bf16", f"cache_dir={tmp_path}")
    tokenizer = load_tokenizer(config.student.name_or_path, config.student.chat_template)
    examples = prepare(few, tokenizer, config, ["shipped"]).examples
    shape = read_shape(config.student.name_or_path)
    made = plan(examples.lengths, config, shape, trained_tokens=examples.trained_tokens)
    assert made.samples == len(examples) > 0
    assert made.steps == config.sft.max_steps or made.epochs == config.sft.epochs
    console = Console(width=160, record=True, file=None)
    with console.capture() as captured:
        console.print(plan_table(made))
    text = captured.get()
    assert f"{made.samples:,} conversations" in text
    assert f"{made.tokens:,}, of which {examples.trained_tokens:,} are trained" in text
    assert ("GPU-hours" in text) == (made.gpu_hours is not None)
    assert made.gpu_hours or recipe not in LARGE
    assert not [note for note in made.notes if "fit" in note]


@pytest.mark.parametrize("recipe", LARGE)
def test_the_named_student_fits_the_named_hardware(recipe):
    config = sources(recipe)
    assert config.student.name_or_path == "Qwen/Qwen3-8B"
    shape = ModelShape(4096, 36, 32, 8, 128, 12288, 151936, tied=False, qk_norm=True)
    made = plan([config.sft.max_length] * 64, config, shape, trained_tokens=1)
    assert made.seconds > 0
    assert not [note for note in made.notes if "fit" in note]
    assert made.samples / made.steps_per_epoch == 64, "conversations per step, as the header says"


def test_the_teachers_differ_in_nothing_else():
    def settings(recipe: str) -> dict:
        config = dataclasses.asdict(sources(recipe))
        assert config.pop("recipe") == recipe
        assert config.pop("teacher") == config["selection"].pop("teacher") == recipe.removesuffix("_teacher")
        return config

    first, *others = (settings(recipe) for recipe in TEACHERS)
    assert first["selection"]["matched"]
    assert all(other == first for other in others)


def test_the_intervention_is_matched_with_the_four_teachers():
    config = sources("claude_inspect_first")
    assert config.selection.matched
    assert config.selection.teacher == "claude_inspect_first"


@pytest.mark.parametrize("engine", ["ddp", "zero2", "zero3_ulysses"])
def test_a_typed_engine_wins_over_the_recipe(engine):
    config = sources("glm_teacher", f"parallel={engine}")
    assert config.parallel.engine == engine.partition("_")[0]


def test_all_that_is_released_comes_from_the_hub():
    config = compose.load(["recipe=deepseek_full"])
    assert split_model(config.data.sources[0]) == (
        "deepseek",
        "StephYang/Terminal-Lego-Traj-Deepseek-V3-2-15k",
    )
    assert (config.selection.outcome, config.selection.complete, config.selection.matched) == (
        "all",
        False,
        False,
    )
    assert sources("deepseek_full", "selection.outcome=passed").selection.outcome == "passed", "the header"


@pytest.mark.parametrize("recipe", [*TEACHERS, "claude_inspect_first"])
def test_data_that_is_not_there_is_named(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigError, match=r"data\.path=deepseek=trajectories/8k/deepseek\.json does not exist"
    ):
        compose.load([f"recipe={recipe}"])
    (tmp_path / "trajectories" / "8k").mkdir(parents=True)
    for name in NAMED:
        (tmp_path / "trajectories" / "8k" / f"{name}.json").write_text("[]")
    config = compose.load([f"recipe={recipe}"])
    assert config.teacher in [split_model(source)[0] for source in config.data.sources]


@pytest.mark.parametrize("recipe", NAMES)
def test_the_header_says_what_it_costs_and_what_to_expect(recipe):
    header = (compose.RECIPES / f"{recipe}.yaml").read_text().split("\ndefaults:")[0]
    assert all(line.startswith("#") for line in header.splitlines())
    assert "# What it costs:" in header
    assert "# Which number to expect:" in header
    if recipe in LARGE:
        words = " ".join(line.lstrip("# ") for line in header.splitlines())
        assert "lanned, not measured" in words
        assert re.search(r"[Nn]o interval and no training seed is published", words)


def test_the_table_lists_every_recipe():
    table = (compose.RECIPES / "README.md").read_text()
    assert re.findall(r"^\| \[(\w+)\]\((\w+)\.yaml\)", table, re.MULTILINE) == [
        (name, name) for name in ["quickstart", *TEACHERS, "claude_inspect_first", "deepseek_full"]
    ]
    assert len(NAMES) == 7
