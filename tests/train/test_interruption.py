import os
import signal

import pytest

from train.interruption import INTERRUPTED, REQUEUE, SIGNALS, Interruption, Stopped


@pytest.fixture(autouse=True)
def handlers():
    """A second Ctrl-C must not end the tests."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_a_wish_and_nothing_else(number):
    with Interruption() as interruption:
        assert interruption.agreed() == 0
        os.kill(os.getpid(), number)
        assert interruption.agreed() == number


def test_outside_everything_is_as_before():
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interruption():
        assert not set(before) & {signal.getsignal(number) for number in SIGNALS}
        os.kill(os.getpid(), signal.SIGUSR2)
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_batch_systems_may_repeat_themselves_but_a_second_ctrl_c_is_impatience():
    with Interruption() as interruption:
        for number in (signal.SIGUSR2, signal.SIGTERM, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert interruption.agreed() == signal.SIGUSR2
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_only_ctrl_c_asks_for_no_requeue():
    statuses = {number: Stopped(number).status for number in SIGNALS}
    assert statuses == {signal.SIGINT: INTERRUPTED, signal.SIGTERM: REQUEUE, signal.SIGUSR2: REQUEUE}
    assert isinstance(Stopped(signal.SIGTERM), KeyboardInterrupt)
    assert str(Stopped(signal.SIGTERM)) == "stopped by SIGTERM"
