"""Checkpoints that are whole or do not count, and that only the training they belong to continues from."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import ConfigError
from terminal_lego.json_files import write_json
from train import processes

if TYPE_CHECKING:
    from transformers import TrainerState

COMPLETE = "complete.json"
"""Written into a checkpoint folder last, with its identity: one without it was interrupted."""

SHARES_NOTHING = "ddp"
"""The engine whose checkpoints hold everything in one piece, for any number of processes to read."""


def newest(folder: Path) -> Path | None:
    """The newest complete checkpoint. Half-written ones go: the trainer would count them among its two.

    All processes must ask; the main one looks.
    """

    def look() -> Path | None:
        found = sorted(folder.glob("checkpoint-*"), key=steps_done)
        complete = [path for path in found if (path / COMPLETE).exists()]
        for path in set(found) - set(complete):
            shutil.rmtree(path)
        return complete[-1] if complete else None

    return processes.shared(look)


def vouch(checkpoint: Path, identity: Mapping[str, Any]) -> None:
    """Marks `checkpoint` as complete once every process has brought its part of it to the disk."""
    for path in checkpoint.rglob("*"):
        if path.is_file():
            _flush(path)
    processes.wait()
    if processes.is_main():
        _flush(checkpoint)
        write_json(checkpoint / COMPLETE, identity)


def identity(checkpoint: Path) -> dict[str, Any]:
    """What a complete checkpoint says it is."""
    return json.loads((checkpoint / COMPLETE).read_text())


def refuse_another(checkpoint: Path, now: Mapping[str, Any]) -> None:
    """Raises ConfigError when `checkpoint` is of a training whose identity is not `now`.

    Another number of processes is accepted where each holds everything (ddp): the order of the examples does
    not depend on it (`train.order`), as long as a step takes the same number of them.
    """
    then = identity(checkpoint)
    differing = sorted(key for key in now if then.get(key) != now[key])
    if then["parallel.engine"] == now["parallel.engine"] == SHARES_NOTHING and "processes" in differing:
        differing.remove("processes")
    if not differing:
        return
    changes = ", ".join(f"{key} ({then.get(key)} there, {now.get(key)} now)" for key in differing)
    if differing == ["processes"]:
        raise ConfigError(
            f"{checkpoint} is in {then['processes']} pieces, one for each process of parallel.engine="
            f"{then['parallel.engine']}, and cannot go on in {now['processes']}: start as many as before."
        )
    hint = " (these are sft.batch_size x sft.accumulation x processes)"
    raise ConfigError(
        f"{checkpoint} is of a training with other settings: {changes}"
        f"{hint if 'sequences per step' in differing else ''}. Repeat them, or start in a new folder."
    )


def steps_done(checkpoint: Path | None) -> int:
    """Optimiser steps that `checkpoint` has behind it, 0 without one."""
    return int(checkpoint.name.split("-")[1]) if checkpoint else 0


def final_state(checkpoint: Path | None) -> "TrainerState | None":
    """The trainer's state in `checkpoint` if that is the one of the last step."""
    from transformers import TrainerState

    if checkpoint is None:
        return None
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return state if state.global_step >= state.max_steps else None


def _flush(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
