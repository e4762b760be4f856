"""Seeded draws that depend on what is drawn from, never on its order.

Everybody gets a lot, a hash of the seed and its name; the lowest lots are drawn. A larger draw therefore
holds the smaller one, and two draws agree on whatever both were given.
"""

import hashlib
from collections.abc import Callable, Sequence

from terminal_lego.curation.steps import Split, Step, TaskKey, divide
from terminal_lego.trajectory import Trajectory


def identity(trajectory: Trajectory) -> tuple[str, str, str]:
    """What tells a trajectory from others, also when several sources use one id."""
    return trajectory.id, trajectory.source, trajectory.model


def lot(seed: int, *name: str) -> bytes:
    """The lot of one name. The first word is the purpose, so that two draws do not favour the same ones."""
    return hashlib.sha256("\0".join((str(seed), *name)).encode("utf-8", "surrogatepass")).digest()


def limit(count: int, seed: int) -> Step:
    """Keep at most this many, drawn at random."""
    return _limit(count, lambda t: lot(seed, "limit", *identity(t)))


def limit_matched(count: int, seed: int, task_hash: TaskKey | None = None) -> Step:
    """Keep at most this many, drawn by task: of whichever teacher they are, they are of the same tasks."""
    if task_hash is None:
        from terminal_lego.grounding.task_text import task_hash
    return _limit(count, lambda t: lot(seed, "limit", str(task_hash(t))) + lot(seed, "limit", *identity(t)))


def _limit(count: int, lot_of: Callable[[Trajectory], bytes]) -> Step:
    def draw(trajectories: Sequence[Trajectory]) -> Split:
        lots = [lot_of(trajectory) for trajectory in trajectories]
        undrawn = sorted(range(len(trajectories)), key=lots.__getitem__)[count:]
        return divide(trajectories, dict.fromkeys(undrawn, "not drawn"))

    return draw
