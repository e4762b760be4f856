"""Checkpoints that are whole or do not count, and that only the training they belong to continues from."""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import ConfigError, StudentError
from terminal_lego.json_files import write_json
from train import processes

if TYPE_CHECKING:
    from transformers import TrainerState

COMPLETE = "complete.json"
"""Written into a checkpoint folder last, with its identity: one without it was interrupted."""

SHARES_NOTHING = "ddp"
"""The engine whose checkpoints hold everything in one piece, for any number of processes to read."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A full disk, a used up quota, a file larger than files may be."""

TORCH_CANNOT_WRITE = ("PytorchStreamWriter", "inline_container", "iostream error")
"""What torch's RuntimeError speaks of when `torch.save` finds no room; it does not pass the reason on."""


def newest(folder: Path) -> Path | None:
    """The newest complete checkpoint. Half-written ones go: the trainer would count them among its two.

    All processes must ask; the main one looks.
    """

    def look() -> Path | None:
        complete, torn = _found(folder)
        for path in torn:
            shutil.rmtree(path)
        return complete[-1] if complete else None

    return processes.shared(look)


def vouch(checkpoint: Path, identity: Mapping[str, Any]) -> None:
    """Marks `checkpoint` as complete once every process has brought its part of it to the disk.

    It is marked when this returns, in all of them: a batch system may kill the others when one has left.
    """
    processes.wait()  # for those that still write: their files have other names until they are whole
    for path in checkpoint.rglob("*"):
        _flush(path)
    processes.wait()
    if processes.is_main():
        _flush(checkpoint)
        write_json(checkpoint / COMPLETE, identity)
    processes.wait()


@contextmanager
def told_when_full(folder: Path) -> Iterator[None]:
    """Raises StudentError, in one sentence, for a write in its block that finds no room on the disk.

    The main process removes the half-written checkpoint in `folder`, so that there is room to tell of it.
    """
    try:
        yield
    except Exception as error:
        reason = _no_room(error)
        if reason is None:
            raise
        complete, torn = _found(folder)
        if processes.is_main():
            for path in torn:
                shutil.rmtree(path, ignore_errors=True)
        left = f"{complete[-1].name} is intact and continued from" if complete else "nothing was saved before"
        raise StudentError(
            f"{folder} cannot be written to ({reason}): make room there and start again; {left}."
        ) from error


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


def _found(folder: Path) -> tuple[list[Path], list[Path]]:
    """Complete checkpoints from the oldest to the newest, and half-written ones."""
    found = sorted(folder.glob("checkpoint-*"), key=steps_done)
    complete = [path for path in found if (path / COMPLETE).exists()]
    return complete, [path for path in found if path not in complete]


def _no_room(error: BaseException) -> str | None:
    """Which lack of room made `error`, or None. Python, safetensors and torch each tell it in another way."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return os.strerror(error.errno)
    for number in NO_ROOM:
        if f"(os error {number})" in str(error):  # safetensors
            return os.strerror(number)
    if isinstance(error, RuntimeError) and any(words in str(error) for words in TORCH_CANNOT_WRITE):
        return "torch does not say why; mostly the disk is full"
    return None


def _flush(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
