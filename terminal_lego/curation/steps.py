"""What a step of a selection is: it takes trajectories and says which stay, and why the others go."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from terminal_lego.trajectory import Trajectory


@dataclass(frozen=True)
class Dropped:
    """One that goes. The funnel counts by `reason`; `detail` is about this trajectory alone."""

    trajectory: Trajectory
    reason: str
    detail: str = ""


Split = tuple[list[Trajectory], list[Dropped]]
Step = Callable[[Sequence[Trajectory]], Split]
TaskKey = Callable[[Trajectory], Hashable]
Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


def split(trajectories: Sequence[Trajectory], reason: Callable[[Trajectory], str | None]) -> Split:
    """Each by itself: it goes when there is a reason."""
    reasons = {index: why for index, t in enumerate(trajectories) if (why := reason(t)) is not None}
    return divide(trajectories, reasons)


def divide(
    trajectories: Sequence[Trajectory], reasons: Mapping[int, str], details: Mapping[int, str] | None = None
) -> Split:
    """Those with a reason, by index, go; both parts keep the order given."""
    details = details or {}
    kept = [t for index, t in enumerate(trajectories) if index not in reasons]
    gone = [
        Dropped(t, reasons[index], details.get(index, ""))
        for index, t in enumerate(trajectories)
        if index in reasons
    ]
    return kept, gone


def grouped(items: Sequence[Item], key: Callable[[Item], Key]) -> dict[Key, list[int]]:
    """Indices by key."""
    groups: dict[Key, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        groups[key(item)].append(index)
    return dict(groups)


def fact(trajectory: Trajectory, name: str) -> Any:
    """A value that came with the trajectory: `extra[name]`, or that of its `metadata`."""
    metadata = trajectory.extra.get("metadata")
    nested = metadata.get(name) if isinstance(metadata, dict) else None
    return trajectory.extra.get(name, nested)
