"""Finished runs of tiny students, made the way a user makes them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from terminal_lego.formats import write_parquet
from tests.terminal_lego.student.models import write_base
from tests.train.scripted import conversations
from train import compose
from train.pipeline import run

torch.set_num_threads(1)  # these models gain nothing from more
LIGHT = ("student=tiny", "evaluation=skip", "tracking.mode=disabled")
STEPS = ("sft.epochs=null", "sft.max_steps=2", "sft.accumulation=1", "sft.learning_rate=1e-2")


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Runs the pipeline in this process; the run directory."""
    home = tmp_path_factory.mktemp("secret-place")
    rows = home / "rows.parquet"
    write_parquet(conversations(1), rows)

    def begin(name: str, *words: str) -> Path:
        folder = home / "runs" / name
        given = [
            *LIGHT,
            *STEPS,
            f"data.path={rows}",
            f"cache_dir={home / 'cache'}",
            f"run_dir={folder}",
            *words,
        ]
        run(compose.load(given))
        return folder

    return begin


@pytest.fixture(scope="session")
def untied_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base whose output layer is its own, in bf16."""
    return write_base(tmp_path_factory.mktemp("base") / "untied", tied=False, dtype=torch.bfloat16)


@pytest.fixture(scope="session")
def full_run(train) -> Path:
    """Of all weights, until it knows its one conversation by heart."""
    return train("full", "sft.max_steps=30")


@pytest.fixture(scope="session")
def lora_run(train) -> Path:
    return train("lora", "tuning=lora", "tuning.rank=4", "teacher=inspector")


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    """A copy that a test may change."""
    return lambda run: shutil.copytree(run, tmp_path / "runs" / run.name)
