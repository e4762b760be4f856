"""Mask coverage: which share of the tokens carries loss, by role and by turn."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from terminal_lego.rendering.render import Example, Span

if TYPE_CHECKING:
    from rich.table import Table

SHOWN_TURNS = 8


@dataclass(frozen=True)
class Coverage:
    """`trained` of `tokens` tokens have a loss weight above 0."""

    part: str
    tokens: int
    trained: int

    @property
    def share(self) -> float:
        return self.trained / self.tokens if self.tokens else 0.0


def coverage(examples: Sequence[Example]) -> list[Coverage]:
    """One entry for all tokens, one per role, one per assistant turn (the last gathers later turns)."""
    return [
        *_counted(examples, lambda span: "all tokens"),
        *_counted(examples, lambda span: span.role),
        *_counted(examples, _turn),
    ]


def coverage_table(rows: Sequence[Coverage]) -> "Table":
    from rich.table import Table

    table = Table("part", "tokens", "trained", "share", title="Mask coverage")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(row.part, f"{row.tokens:,}", f"{row.trained:,}", f"{row.share:.1%}")
    return table


def _turn(span: Span) -> str | None:
    if span.role != "assistant":
        return None
    return (
        f"assistant turn {span.turn + 1}"
        if span.turn < SHOWN_TURNS
        else f"assistant turns after {SHOWN_TURNS}"
    )


def _counted(examples: Sequence[Example], part_of: Callable[[Span], str | None]) -> list[Coverage]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for example in examples:
        for span in example.spans:
            if (part := part_of(span)) is not None:
                counts[part][0] += span.end - span.start
                counts[part][1] += sum(weight > 0 for weight in example.weights[span.start : span.end])
    return [Coverage(part, *counted) for part, counted in counts.items()]
