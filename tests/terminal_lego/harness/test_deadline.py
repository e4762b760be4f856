import math

import pytest

from terminal_lego.errors import AgentTimeoutError
from terminal_lego.harness.deadline import Deadline


class Clock:
    """A clock that only moves by sleeping."""

    def __init__(self):
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_time_runs_down_to_zero(clock: Clock):
    deadline = Deadline(10, clock, clock.sleep)
    deadline.sleep(4)
    assert deadline.remaining() == deadline.timeout() == 6
    clock.now += 60
    assert deadline.remaining() == 0


def test_check_raises_once_the_time_is_used_up(clock: Clock):
    deadline = Deadline(10, clock, clock.sleep)
    deadline.check()
    clock.now += 10
    with pytest.raises(AgentTimeoutError, match="10 s"):
        deadline.check()


def test_sleep_ends_at_the_deadline(clock: Clock):
    deadline = Deadline(10, clock, clock.sleep)
    with pytest.raises(AgentTimeoutError):
        deadline.sleep(60)
    assert clock.now == 110


def test_without_a_limit_there_is_always_time(clock: Clock):
    deadline = Deadline(None, clock, clock.sleep)
    deadline.sleep(1e9)
    assert deadline.remaining() == math.inf
    assert deadline.timeout() is None
