"""Accuracy and standard error as the Terminal-Bench 2 leaderboard computes them.

Its error is that of other attempts at the same tasks; it says nothing about other tasks, which the
intervals of `eval.statistics` are for. Other errors than the two below take a trial out instead of
making it a zero.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

COUNTED = frozenset({None, "AgentTimeoutError", "VerifierTimeoutError"})
Z = 1.96


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """What the site would show.

    Attributes:
        accuracy: mean over tasks of the mean reward; NaN when a task has no trial that counts.
        standard_error: sqrt(sum of p (1 - p) / (n - 1)) / tasks; NaN when a task has one trial.
        trials: those that count.
    """

    accuracy: float
    standard_error: float
    trials: int

    @property
    def interval(self) -> tuple[float, float]:
        """accuracy -+ 1.96 standard errors, as shown there."""
        return self.accuracy - Z * self.standard_error, self.accuracy + Z * self.standard_error


def leaderboard(trials: Iterable[tuple[str, float | None, str | None]]) -> Leaderboard:
    """From task, reward and error class of every trial; a reward of None is a zero."""
    rewards: dict[str, list[float]] = {}
    for task, reward, error in trials:
        of_task = rewards.setdefault(task, [])
        if error in COUNTED:
            of_task.append(reward or 0.0)
    count = sum(map(len, rewards.values()))
    if not rewards or not all(rewards.values()):
        return Leaderboard(math.nan, math.nan, count)
    shares = [(math.fsum(of_task) / len(of_task), len(of_task)) for of_task in rewards.values()]
    accuracy = math.fsum(p for p, _ in shares) / len(shares)
    if min(n for _, n in shares) == 1:
        return Leaderboard(accuracy, math.nan, count)
    variance = math.fsum(max(p * (1 - p), 0.0) / (n - 1) for p, n in shares)
    return Leaderboard(accuracy, math.sqrt(variance) / len(shares), count)
