"""The steps of a selection: each takes trajectories and says which stay, and why the others go."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from terminal_lego.trajectory import Trajectory


@dataclass(frozen=True)
class Dropped:
    trajectory: Trajectory
    reason: str


Split = tuple[list[Trajectory], list[Dropped]]
Step = Callable[[Sequence[Trajectory]], Split]


def raw_replies(trajectories: Sequence[Trajectory]) -> Split:
    """Keep conversations known word for word: what the model wrote, and what it was answering."""
    return _split(trajectories, _unknown_words)


def outcome(wanted: str) -> Step:
    """Keep trajectories that passed (reward >= 1) or failed; one without a reward did neither."""

    def reason(trajectory: Trajectory) -> str | None:
        if trajectory.reward is None:
            return f"no reward ({trajectory.exception})" if trajectory.exception else "no reward"
        met = "passed" if trajectory.reward >= 1 else "failed"
        return None if met == wanted else met

    return lambda trajectories: _split(trajectories, reason)


def complete(trajectories: Sequence[Trajectory]) -> Split:
    return _split(trajectories, lambda t: None if t.declared_done else "never said that the task is complete")


def teacher(model: str) -> Step:
    return lambda trajectories: _split(
        trajectories, lambda t: None if t.model == model else f"teacher is {t.model or 'unknown'}"
    )


def limit(count: int, seed: int) -> Step:
    """A random draw that depends on ids and seed, not on the order of the input, which is kept."""

    def draw(trajectories: Sequence[Trajectory]) -> Split:
        order = sorted(range(len(trajectories)), key=lambda i: (trajectories[i].id, trajectories[i].source))
        drawn = set(random.Random(seed).sample(order, min(count, len(order))))
        kept = [t for i, t in enumerate(trajectories) if i in drawn]
        return kept, [Dropped(t, "not drawn") for i, t in enumerate(trajectories) if i not in drawn]

    return draw


def _unknown_words(trajectory: Trajectory) -> str | None:
    turns = trajectory.turns
    if not turns:
        return "no replies"
    if not all(turn.is_raw or turn.is_copied for turn in turns):
        return "a reply is only a reconstruction"
    if not all(turn.observation for turn in turns[:-1]):
        return "a prompt between two replies is missing"
    return None


def _split(trajectories: Sequence[Trajectory], reason: Callable[[Trajectory], str | None]) -> Split:
    kept: list[Trajectory] = []
    dropped: list[Dropped] = []
    for trajectory in trajectories:
        why = reason(trajectory)
        if why is None:
            kept.append(trajectory)
        else:
            dropped.append(Dropped(trajectory, why))
    return kept, dropped
