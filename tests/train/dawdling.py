"""`python -m train ... run_dir=FOLDER`, slow to complete checkpoints and to finish with W&B."""

import os
import runpy
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from train import checkpoints, processes
from train.tracking import Tracker


@contextmanager
def dawdling(fifo: Path) -> Iterator[Callable[[], None]]:
    """Gives what the main process calls to give another a second to leave the block.

    Nothing tells that it is not going to, hence a second. If it does leave, the main process is killed, as
    `srun --kill-on-bad-exit` would do.
    """
    with suppress(FileExistsError):
        os.mkfifo(fifo)
    line = os.open(fifo, os.O_RDWR)

    def dawdle() -> None:
        if select.select([line], [], [], 1.0)[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        yield dawdle
    finally:
        if not processes.is_main():
            os.write(line, b"left")


def around(
    function: Callable, before: Callable = lambda: None, after: Callable = lambda returned: None
) -> Callable:
    """`function`, with something to do before it, and something to do with what it returns."""

    def called(*given: Any, **more: Any) -> Any:
        before()
        returned = function(*given, **more)
        after(returned)
        return returned

    return called


if __name__ == "__main__":
    run = Path(sys.argv[-1].partition("=")[2])
    with dawdling(run / "processes" / "leaving") as dawdle:
        checkpoints.write_json = around(checkpoints.write_json, dawdle)
        Tracker.__exit__ = around(Tracker.__exit__, dawdle)
        runpy.run_module("train", run_name="__main__", alter_sys=True)
