"""A signal to stop, heard by one process or all, acted upon by all at the end of the same step."""

import signal
from types import FrameType
from typing import Any

from train import processes

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
"""Ctrl-C; what a batch system sends to end a job; the notice it can be asked to send some time before.

SIGUSR2 for the notice because SIGUSR1 is what other libraries and site scripts usually listen to.
"""

REQUEUE = 75
"""Exit status of a run that SIGTERM or SIGUSR2 stopped: saved, start it again and it continues.

The number is sysexits' EX_TEMPFAIL: not a failure, try again later.
"""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as of any program."""


class Stopped(KeyboardInterrupt):
    """A signal asked to stop and a checkpoint is saved.

    Attributes:
        status: what the process should exit with.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.status = INTERRUPTED if number == signal.SIGINT else REQUEUE


class Interruption:
    """Turns `SIGNALS` into a wish to stop at the next step, while it is entered.

    After the first one Ctrl-C acts at once, as it always does; SIGTERM and SIGUSR2 may be repeated, because
    batch systems send the one after the other while the checkpoint is being written.

    Attributes:
        asked: the signal that this process heard, 0 for none.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        self._before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def agreed(self) -> int:
        """The signal that any process heard, 0 for none. All processes must ask, at the end of a step."""
        return processes.highest(self.asked)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = self.asked or number
        signal.signal(signal.SIGINT, self._before[signal.SIGINT])
