"""How far a training is: a bar with a rate on a terminal, a plain line now and then elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_SECONDS = 10.0


class TrainingProgress:
    """Use as a context manager; `update` with the steps done and the latest loss."""

    def __init__(self, steps: int, tokens_per_step: float, console: Console | None = None) -> None:
        self._steps, self._tokens_per_step = steps, tokens_per_step
        self._console = console or Console(stderr=True)
        self._started = self._last_line = time.monotonic()
        self._first: int | None = None
        self._bar = Progress(
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=steps)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, sentence: str) -> None:
        """Prints a sentence that must not be missed, above the bar."""
        self._console.print(sentence, style="yellow", soft_wrap=True, highlight=False)

    def update(self, step: int, loss: float | None) -> None:
        """`step` optimiser steps are done, in this start and earlier ones."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._started = step, now
        rate = (step - self._first) / (now - self._started) if step > self._first else 0.0
        shown = "" if loss is None else f"loss {loss:.4f}, "
        text = f"{shown}{rate:.1f} steps/s, {rate * self._tokens_per_step:,.0f} tokens/s"
        self._bar.update(self._task, completed=step, description=text)
        if self._bar.disable and (now - self._last_line >= PLAIN_SECONDS or step == self._steps):
            self._last_line = now
            self._console.print(f"  step {step}/{self._steps}: {text}", highlight=False)
