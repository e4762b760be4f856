"""What a running evaluation shows: a live table on a terminal, a plain line now and then elsewhere."""

import math
import threading
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from terminal_lego.harness.record import TrialResult

PLAIN_SECONDS = 10.0
LOST = "infrastructure errors"


class Progress:
    """Counts trials as they end, from any thread, and shows the counts while the `with` block runs."""

    def __init__(
        self, name: str, total: int, kept: Sequence[TrialResult] = (), console: Console | None = None
    ):
        """`kept` trials of an earlier run count as done, but say nothing about the pace."""
        self.name = name
        self.total = total
        self._console = console or Console(stderr=True)
        self._outcomes: dict[str, str] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._started = time.monotonic()
        self._live: Live | None = None
        self._ticker: threading.Thread | None = None
        for trial in kept:
            self.add(trial)
        self._kept = len(kept)

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self.table, refresh_per_second=2)
            self._live.start()
        else:
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._live:
            self._live.stop()
        if self._ticker:
            self._ticker.join()
            if not error:
                self._print_line()

    def add(self, trial: TrialResult) -> None:
        """Count a trial; one that ran before counts as it ended now."""
        solved = "solved" if (trial.reward or 0.0) >= 1 else "not solved"
        with self._lock:
            self._outcomes[trial.trial_name] = LOST if trial.is_infrastructure_error else solved

    def table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        cells = self._cells()
        for heading in cells:
            table.add_column(heading, justify="left" if heading == "student" else "right")
        table.add_row(*cells.values())
        return table

    def line(self) -> str:
        student, *rest = self._cells().items()
        return f"{student[1]}: " + ", ".join(f"{value} {heading}" for heading, value in rest)

    def _cells(self) -> dict[str, str]:
        with self._lock:
            counts = Counter(self._outcomes.values())
        done, judged = counts.total(), counts.total() - counts[LOST]
        minutes = (time.monotonic() - self._started) / 60
        rate = (done - self._kept) / minutes if minutes else 0.0
        left = (self.total - done) / rate * 60 if rate else math.inf
        return {
            "student": self.name,
            "trials": f"{done}/{self.total}",
            "solved": str(counts["solved"]),
            "of those judged": f"{100 * counts['solved'] / judged:.0f} %" if judged else "?",
            LOST: str(counts[LOST]),
            "trials/min": f"{rate:.1f}",
            "left": _clock(left),
        }

    def _tick(self) -> None:
        while not self._over.wait(PLAIN_SECONDS):
            self._print_line()

    def _print_line(self) -> None:
        self._console.print(self.line(), markup=False, highlight=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "?"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
