"""Two students on the same tasks: how likely their gap is if it did not matter who was who."""

import math
from dataclasses import dataclass

import numpy as np

from eval.statistics import Estimate, Rewards, paired_difference

EXACT_TASKS = 16  # 65,536 ways to give signs to as many differences
FLIPS = 100_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """a - b, with an interval for other tasks of the kind and a test on these.

    `p_value` is NaN without a shared task; `p_method` says how it was made.
    """

    difference: Estimate
    p_value: float
    p_method: str


def compare(a_by_task: Rewards, b_by_task: Rewards, level: float = 0.95, seed: int = 0) -> Comparison:
    """Over the tasks that both tried, each as the mean of its trials."""
    gaps = list(task_gaps(a_by_task, b_by_task).values())
    return Comparison(paired_difference(a_by_task, b_by_task, level, seed), *sign_flip(gaps, seed))


def task_gaps(a_by_task: Rewards, b_by_task: Rewards) -> dict[str, float]:
    """Mean reward of a less that of b, by task that both tried."""
    shared = sorted(task for task in a_by_task if a_by_task[task] and b_by_task.get(task))
    return {task: float(np.mean(a_by_task[task]) - np.mean(b_by_task[task])) for task in shared}


def sign_flip(gaps: list[float], seed: int = 0) -> tuple[float, str]:
    """Two-sided p-value of the mean gap under random signs, and how it was made.

    If the two are alike, each task's gap was as likely with the other sign. All sign patterns for up to
    `EXACT_TASKS` gaps other than 0, else `FLIPS` drawn ones and the observed (Phipson and Smyth 2010,
    1603.05766, so that p is never 0).
    """
    if not gaps:
        return math.nan, "no task that both tried"
    unequal = np.array([gap for gap in gaps if gap])
    observed = abs(unequal.sum()) - 1e-9  # equal sums may differ by rounding
    if len(unequal) <= EXACT_TASKS:
        sums = np.zeros(1)
        for gap in unequal:
            sums = np.concatenate([sums - gap, sums + gap])
        return float(np.mean(np.abs(sums) >= observed)), "sign flips, exact"
    rng = np.random.default_rng(seed)
    reached = sum(
        int(np.count_nonzero(np.abs(rng.choice((-1.0, 1.0), (size, len(unequal))) @ unequal) >= observed))
        for size in [FLIPS // 10] * 10
    )
    return (reached + 1) / (FLIPS + 1), f"{FLIPS:,} sign flips"
