"""The steps of a run as a reader sees them pass by: a heading, then how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from train.run_directory import RunDirectory


class Stages:
    """`with stages("read the trajectories"): ...` prints a heading, times the step and records both.

    Attributes:
        seconds: of every finished stage, by title, in order.
    """

    def __init__(self, run: RunDirectory, console: Console | None = None) -> None:
        self.run = run
        self.console = console or Console()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, title: str) -> Iterator[None]:
        self.console.print(f"\n[bold cyan]{len(self.seconds) + 1}[/] [bold]{title}[/]")
        self.run.event("stage started", stage=title)
        started = time.monotonic()
        try:
            yield
        except BaseException as error:
            self._end("stage failed", title, started, exception=type(error).__name__)
            raise
        self._end("stage finished", title, started)
        self.console.print(f"  [dim]{self.seconds[title]:.1f} s[/]")

    def _end(self, event: str, title: str, started: float, **fields: str) -> None:
        seconds = round(time.monotonic() - started, 3)
        self.seconds[title] = self.seconds.get(title, 0.0) + seconds
        self.run.event(event, stage=title, seconds=seconds, **fields)
