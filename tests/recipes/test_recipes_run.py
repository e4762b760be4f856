"""Every recipe runs for two steps on the CPU: own data layout and engine, the tiny student, one stop between.

Data that a recipe fetches from the hub (deepseek_full) lies in a folder here, and data.path names it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from terminal_lego.json_files import read_lines
from tests.recipes.two_steps import TASKS
from train import compose
from train.interruption import REQUEUE

TEACHERS = {f"{name}_teacher": name for name in ("deepseek", "glm", "qwen", "claude")}
OTHERS = {
    "quickstart": "inspector",
    "claude_inspect_first": "claude_inspect_first",
    "deepseek_full": "deepseek",
}
TAUGHT_BY = OTHERS | TEACHERS  # quickstart first: two_steps.py says why
CONVERSATIONS = dict.fromkeys(TAUGHT_BY, TASKS) | {"quickstart": 1200}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Path:
    """A folder with a folder for each recipe, as `two_steps.smoke` leaves it."""
    folder = tmp_path_factory.mktemp("recipes")
    environment = {**os.environ, "PYTHONPATH": str(compose.HOME), "OMP_NUM_THREADS": "1"}
    environment.pop("XDG_CACHE_HOME")  # DeepSpeed compiles once per machine, not once per test run
    command = [sys.executable, "-m", "tests.recipes.two_steps", *TAUGHT_BY]
    done = subprocess.run(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return folder


def test_no_recipe_is_left_out():
    assert sorted(TAUGHT_BY) == sorted(path.stem for path in compose.RECIPES.glob("*.yaml"))


@pytest.mark.parametrize("recipe", TAUGHT_BY)
def test_two_steps_with_a_stop_between_are_two_steps(recipe, ran):
    folder = ran / recipe
    statuses = json.loads((folder / "starts.json").read_text())
    assert statuses == {"dry run": 0, "first": REQUEUE, "second": 0, "straight": 0}
    assert "Dry run: nothing was trained." in (folder / "printed.txt").read_text()
    assert json.loads((folder / "between.json").read_text()) == ["checkpoint-1"]

    figures = json.loads((folder / "stopped" / "result.json").read_text())
    assert (figures["recipe"], figures["teacher"]) == (recipe, TAUGHT_BY[recipe])
    assert figures["conversations"] == CONVERSATIONS[recipe]
    assert figures["steps"] == 2
    outcome = json.loads((folder / "stopped" / "student" / "outcome.json").read_text())
    assert outcome["engine"] == ("ddp" if recipe == "quickstart" else "zero3") + " over 1 process"

    continued, uninterrupted = (losses(folder / name) for name in ("stopped", "straight"))
    assert [step for step, _ in continued] == [1, 2], "no step was done twice"
    assert [loss for _, loss in continued] == pytest.approx([loss for _, loss in uninterrupted], abs=1e-6)
    continued, uninterrupted = (
        load_file(folder / name / "student" / "model.safetensors") for name in ("stopped", "straight")
    )
    assert continued.keys() == uninterrupted.keys()
    for name, weight in continued.items():
        torch.testing.assert_close(weight, uninterrupted[name], rtol=0, atol=1e-7)


def losses(run: Path) -> list[tuple[int, float]]:
    records = read_lines(run / "metrics.jsonl")
    return [(each["step"], each["train/loss"]) for each in records if "train/loss" in each]
