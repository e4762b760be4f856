"""Simulated benchmarks with a known truth: nominal 95 % intervals hold it in 93 to 97 % of them.

2,000 benchmarks each, so that the simulation itself is off by half a point.
"""

import numpy as np
import pytest

from eval import statistics
from eval.leaderboard import leaderboard
from eval.statistics import mean_interval, paired_difference, wilson

BENCHMARKS = 2_000
NEAR_NOMINAL = (0.93, 0.97)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 400)


def share(hits: list[bool]) -> float:
    return float(np.mean(hits))


def rewards(solved: list[int], trials: int) -> dict[str, list[float]]:
    return {str(task): [1.0] * count + [0.0] * (trials - count) for task, count in enumerate(solved)}


def is_near_nominal(covered: float) -> bool:
    low, high = NEAR_NOMINAL
    return low <= covered <= high


@pytest.mark.parametrize(
    ("tasks", "trials", "a", "b"),
    [
        (15, 5, 0.8, 1.2),  # few tasks: Wilson with the tasks their spread is worth
        (40, 1, 0.8, 1.2),  # Wilson
        (40, 5, 0.8, 1.2),  # bootstrap
        (40, 5, 0.3, 3.0),  # hardly anything solved: Wilson with the tasks their spread is worth
        (89, 5, 0.3, 0.3),  # most tasks always or never solved: bootstrap
    ],
)
def test_pass_at_1(tasks, trials, a, b):
    """Difficulties of tasks are Beta(a, b), so the truth is a / (a + b)."""
    rng = np.random.default_rng(1)
    solved = rng.binomial(trials, rng.beta(a, b, (BENCHMARKS, tasks))).tolist()
    estimates = [mean_interval(rewards(of_one, trials)) for of_one in solved]
    assert is_near_nominal(share([each.low <= a / (a + b) <= each.high for each in estimates]))


@pytest.mark.parametrize(
    ("tasks", "trials", "gain"), [(15, 5, 0.25), (40, 1, 0.25), (40, 5, 0.05), (89, 5, 0)]
)
def test_paired_difference(tasks, trials, gain):
    """b solves each task with 1 - gain times the chance of a, which is 0.4 on average."""
    rng = np.random.default_rng(2)
    chance = rng.beta(0.8, 1.2, (BENCHMARKS, tasks))
    a, b = rng.binomial(trials, chance).tolist(), rng.binomial(trials, chance * (1 - gain)).tolist()
    sides = ((rewards(x, trials), rewards(y, trials)) for x, y in zip(a, b, strict=True))
    estimates = [paired_difference(*side) for side in sides]
    assert is_near_nominal(share([each.low <= 0.4 * gain <= each.high for each in estimates]))


def test_leaderboard_error_holds_for_the_same_tasks_and_not_for_others():
    """89 tasks stay what they are, 5 attempts are made anew: what that error assumes."""
    rng = np.random.default_rng(3)
    chance = rng.beta(0.8, 1.2, 89)
    boards = [
        leaderboard(
            (task, reward, None) for task, of_task in rewards(solved, 5).items() for reward in of_task
        )
        for solved in rng.binomial(5, chance, (BENCHMARKS, 89)).tolist()
    ]
    fixed = [board.interval[0] <= chance.mean() <= board.interval[1] for board in boards]
    assert is_near_nominal(share(fixed))
    # Of tasks in general it knows nothing: these 89 may lie anywhere the wider interval reaches.
    low, high = wilson(0.4, 89)
    assert boards[0].interval[1] - boards[0].interval[0] < (high - low) / 2


def test_the_plain_percentile_bootstrap_would_fail_this(monkeypatch):
    monkeypatch.setattr(statistics, "FEW_TASKS", 0)
    monkeypatch.setattr(statistics, "FEW_OUTCOMES", 0)
    rng = np.random.default_rng(1)
    solved = rng.binomial(5, rng.beta(0.3, 3.0, (BENCHMARKS, 15))).tolist()
    estimates = [mean_interval(rewards(of_one, 5)) for of_one in solved]
    assert not is_near_nominal(share([each.low <= 1 / 11 <= each.high for each in estimates]))
