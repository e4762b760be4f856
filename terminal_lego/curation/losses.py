"""Who loses what: trajectories dropped by each step, by teacher and difficulty of the task.

A filter that takes the hard tasks of one teacher and of no other makes the comparison of the teachers unfair,
and no total shows it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from terminal_lego.curation.steps import Dropped, fact
from terminal_lego.trajectory import Trajectory

if TYPE_CHECKING:
    from rich.table import Table

UNKNOWN = "unknown"
_ORDER = ("easy", "medium", "hard")


@dataclass(frozen=True)
class Loss:
    """`dropped` of `given` trajectories of one teacher and difficulty went in a step."""

    step: str
    teacher: str
    difficulty: str
    given: int
    dropped: int


def difficulty(trajectory: Trajectory) -> str:
    """As the source states it, "unknown" when it does not."""
    value = fact(trajectory, "difficulty")
    return value if isinstance(value, str) and value else UNKNOWN


def losses(step: str, given: Sequence[Trajectory], dropped: Sequence[Dropped]) -> list[Loss]:
    """One row per teacher and difficulty that the step was given; none when it dropped nothing."""
    if not dropped:
        return []
    before = Counter(_group(trajectory) for trajectory in given)
    gone = Counter(_group(drop.trajectory) for drop in dropped)
    return [Loss(step, *group, before[group], gone[group]) for group in sorted(before)]


def loss_table(rows: Sequence[Loss]) -> "Table | None":
    """A line per step and teacher, a column per difficulty; None when there is nothing to compare.

    Args:
        rows: `Selection.losses`.
    """
    from rich.table import Table
    from rich.text import Text

    difficulties = sorted({row.difficulty for row in rows}, key=_rank)
    if len(difficulties) < 2 and len({row.teacher for row in rows}) < 2:
        return None
    table = Table("step", "teacher", title="Dropped, of those given, by difficulty")
    for name in difficulties:
        table.add_column(Text(name), justify="right")
    cells = {(row.step, row.teacher, row.difficulty): f"{row.dropped:,} of {row.given:,}" for row in rows}
    for step, teacher in dict.fromkeys((row.step, row.teacher) for row in rows):
        line = [cells.get((step, teacher, name), "") for name in difficulties]
        table.add_row(Text(step), Text(teacher), *line)
    return table


def _group(trajectory: Trajectory) -> tuple[str, str]:
    return trajectory.model or UNKNOWN, difficulty(trajectory)


def _rank(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER) + (name == UNKNOWN)), name
