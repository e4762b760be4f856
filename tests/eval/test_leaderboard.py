import math

import pytest

from eval.leaderboard import leaderboard


def trials(**rewards):
    return [(task, reward, None) for task, of_task in rewards.items() for reward in of_task]


def test_accuracy_and_error_by_hand():
    """Tasks at 0.6 and 1.0 of 5: sqrt(0.24 / 4 + 0) / 2 = 0.1225."""
    board = leaderboard(trials(a=[1, 1, 1, 0, 0], b=[1] * 5))
    assert board.accuracy == 0.8
    assert board.standard_error == pytest.approx(0.122474, abs=1e-6)
    assert board.interval == pytest.approx((0.8 - 1.96 * 0.122474, 0.8 + 1.96 * 0.122474), abs=1e-5)


def test_one_trial_of_a_task_leaves_no_error():
    board = leaderboard(trials(a=[1, 0], b=[1]))
    assert board.accuracy == 0.75 and math.isnan(board.standard_error)


def test_timeouts_count_and_other_errors_take_the_trial_out():
    counted = [
        ("a", 1.0, "AgentTimeoutError"),
        ("a", None, "VerifierTimeoutError"),
        ("a", None, "SandboxError"),
    ]
    board = leaderboard(counted)
    assert (board.accuracy, board.trials) == (0.5, 2)


def test_a_task_without_a_counted_trial_leaves_no_accuracy():
    board = leaderboard([*trials(a=[1, 1]), ("b", None, "SandboxError")])
    assert math.isnan(board.accuracy) and math.isnan(board.standard_error)
    assert math.isnan(leaderboard([]).accuracy)
