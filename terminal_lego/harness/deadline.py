"""A point in time that work may not pass."""

import math
import time
from collections.abc import Callable

from terminal_lego.errors import AgentTimeoutError


class Deadline:
    """The agent's time, counted from construction on a monotonic clock.

    Cooperative: whoever holds it asks `check()` before anything slow and waits only through `sleep()`.

    Args:
        seconds: time allowed; None for no limit.
    """

    def __init__(
        self,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._seconds = math.inf if seconds is None else seconds
        self._end = clock() + self._seconds

    def remaining(self) -> float:
        """Seconds left, never negative; infinite without a limit."""
        return max(0.0, self._end - self._clock())

    def timeout(self) -> float | None:
        """What is left, in the form HTTP and exec calls take: None for no limit."""
        left = self.remaining()
        return None if math.isinf(left) else left

    def check(self) -> None:
        """Raise AgentTimeoutError once the time is used up."""
        if self.remaining() <= 0:
            raise AgentTimeoutError(
                f"The agent used up its {self._seconds:g} s: raise `[agent] timeout_sec` "
                "or the timeout multiplier if the task needs longer."
            )

    def sleep(self, seconds: float) -> None:
        """Wait, at most until the end of the time; raise AgentTimeoutError when that came first."""
        self._sleep(min(seconds, self.remaining()))
        self.check()
