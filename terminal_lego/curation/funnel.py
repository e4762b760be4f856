"""The funnel: how many trajectories enter each step of a selection, how many go, and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class FunnelRow:
    """One step. `dropped` counts by reason; the next step is given `kept`."""

    step: str
    kept: int
    dropped: Mapping[str, int]

    @property
    def given(self) -> int:
        return self.kept + sum(self.dropped.values())


def funnel_table(rows: Sequence[FunnelRow], set_aside: Sequence[str] = ()) -> "Table":
    """A table for people: what was met on disk, then one line per step.

    Args:
        rows: `Selection.funnel`.
        set_aside: a reason for each thing that could not be read.
    """
    from rich.table import Table
    from rich.text import Text

    if rows:
        rows = [FunnelRow("read", rows[0].given, Counter(set_aside)), *rows]
    table = Table("step", "given", "kept", "dropped", "why", title="Selection")
    for column in table.columns[1:4]:
        column.justify = "right"
    for row in rows:
        reasons = sorted(row.dropped.items(), key=lambda item: (-item[1], item[0]))
        why = Text("\n".join(f"{count}: {reason}" for reason, count in reasons))
        table.add_row(row.step, str(row.given), str(row.kept), str(row.given - row.kept), why)
    return table
