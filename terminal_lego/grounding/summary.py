"""Teachers summed up: means over trajectories with intervals, tasks resampled."""

import math
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np

from terminal_lego.grounding.measures import Measures
from terminal_lego.grounding.scores import Scores
from terminal_lego.grounding.tor import VARIANTS, Variant

RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % bootstrap interval; all NaN when no trajectory defines the figure, the interval
    NaN when all that do are of one task."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Teacher:
    """One model's trajectories.

    Attributes:
        mean: mean over trajectories of their TOR; those without an action are left out.
        pooled: supported actions over actions, all trajectories taken together.
        measures: mean over trajectories of each of `Measures`, by name.
    """

    model: str
    trajectories: int
    tasks: int
    mean: dict[Variant, Estimate]
    pooled: dict[Variant, Estimate]
    measures: dict[str, Estimate]

    @property
    def published(self) -> float | None:
        """The paper's figure for this teacher, in per cent."""
        ours = _letters(self.model)
        return next((tor for name, tor in published().items() if _letters(name) in ours), None)


def by_teacher(scored: Iterable[Scores], seed: int = 0) -> list[Teacher]:
    """Sorted by name. The unit that is resampled is the task: its trajectories resemble each other."""
    groups: dict[str, list[Scores]] = defaultdict(list)
    for score in scored:
        groups[score.model].append(score)
    return [_teacher(model, groups[model], seed) for model in sorted(groups)]


def matched(scored: Sequence[Scores]) -> list[Scores]:
    """Those of tasks that every teacher has a trajectory of."""
    tasks: dict[str, set[str]] = defaultdict(set)
    for score in scored:
        tasks[score.model].add(score.task_hash)
    common = set.intersection(*tasks.values()) if tasks else set()
    return [score for score in scored if score.task_hash in common]


@cache
def published() -> dict[str, float]:
    """The paper's four figures, in per cent, by teacher."""
    table = tomllib.loads(Path(__file__).with_name("published.toml").read_text())
    return {row["name"]: row["tor"] for row in table["teacher"]}


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _teacher(model: str, scored: Sequence[Scores], seed: int) -> Teacher:
    tasks = {hash: index for index, hash in enumerate(dict.fromkeys(score.task_hash for score in scored))}
    owner = np.array([tasks[score.task_hash] for score in scored])
    names = [field.name for field in fields(Measures)]
    supported, actions = (
        np.array([[getattr(score.tor[variant], part) for variant in VARIANTS] for score in scored], float)
        for part in ("supported", "actions")
    )
    figures = np.array([[_nan(getattr(score.measures, name)) for name in names] for score in scored], float)
    ratios = np.divide(supported, actions, out=np.full_like(supported, math.nan), where=actions > 0)
    draws = np.random.default_rng(seed).multinomial(
        len(tasks), np.full(len(tasks), 1 / len(tasks)), size=RESAMPLES
    )
    mean = _estimates(*_mean_parts(ratios), owner, draws)
    pooled = _estimates(supported, actions, owner, draws)
    return Teacher(
        model=model,
        trajectories=len(scored),
        tasks=len(tasks),
        mean=dict(zip(VARIANTS, mean, strict=True)),
        pooled=dict(zip(VARIANTS, pooled, strict=True)),
        measures=dict(zip(names, _estimates(*_mean_parts(figures), owner, draws), strict=True)),
    )


def _nan(value: float | None) -> float:
    return math.nan if value is None else value


def _mean_parts(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A mean as a ratio of sums: the values, and ones where there is a value."""
    return np.nan_to_num(values), (~np.isnan(values)).astype(float)


def _estimates(over: np.ndarray, under: np.ndarray, owner: np.ndarray, draws: np.ndarray) -> list[Estimate]:
    """sum(over) / sum(under) of each column, and the percentiles of the same over resampled tasks.

    Args:
        over, under: (trajectories, figures).
        owner: (trajectories,); the task of each.
        draws: (resamples, tasks); how often each task is drawn.
    """
    tops, bottoms = (_by_task(values, owner, draws.shape[1]) for values in (over, under))
    values = _divide(tops.sum(0), bottoms.sum(0))
    drawn = _divide(draws @ tops, draws @ bottoms)
    several = (bottoms > 0).sum(0) > 1
    estimates = []
    for column, value in enumerate(values):
        low, high = np.nanpercentile(drawn[:, column], (2.5, 97.5)) if several[column] else (math.nan,) * 2
        estimates.append(Estimate(float(value), float(low), float(high)))
    return estimates


def _by_task(values: np.ndarray, owner: np.ndarray, tasks: int) -> np.ndarray:
    sums = np.zeros((tasks, values.shape[1]))
    np.add.at(sums, owner, values)
    return sums


def _divide(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    return np.divide(over, under, out=np.full_like(over, math.nan), where=under > 0)
