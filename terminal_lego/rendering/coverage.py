"""Mask coverage: which share of the tokens carries loss, by role, by turn and by kind of command."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from terminal_lego.rendering.example import Example, Span
from terminal_lego.rendering.masks import LABELS, MaskConfig

if TYPE_CHECKING:
    from rich.table import Table

SHOWN_TURNS = 8
ALL, REPLY_TEXT = "all tokens", "reply text"


@dataclass(frozen=True)
class CoverageRow:
    """`trained` of `tokens` tokens have a loss weight above 0."""

    part: str
    tokens: int
    trained: int

    @property
    def share(self) -> float:
        return self.trained / self.tokens if self.tokens else 0.0


class Coverage:
    """Counts one example after the other; `rows` may be asked for at any time."""

    def __init__(self) -> None:
        self._roles: _Counts = defaultdict(lambda: [0, 0])
        self._turns: _Counts = defaultdict(lambda: [0, 0])
        self._labels: _Counts = defaultdict(lambda: [0, 0])

    def add(self, example: Example) -> None:
        trained = np.concatenate([[0], np.cumsum(np.asarray(example.weights) > 0)])

        def count(counts: _Counts, key: str | int, span: Span) -> None:
            counts[key][0] += span.end - span.start
            counts[key][1] += int(trained[span.end] - trained[span.start])

        for span in example.spans:
            count(self._roles, span.role, span)
            if span.role == "assistant":
                count(self._turns, min(span.turn, SHOWN_TURNS), span)
        for part in example.parts:
            count(self._labels, part.label, part)

    def rows(self) -> list[CoverageRow]:
        """All tokens, each role, each assistant turn (the last gathers later turns), each kind of command.

        Without a named command the kinds are left out: all would be reply text.
        """
        if not self._roles:
            return []
        labels = {f"{label} commands": self._labels[label] for label in LABELS if label in self._labels}
        if labels:
            labels[REPLY_TEXT] = _minus(self._roles["assistant"], _sum(self._labels.values()))
        turns = {_turn_name(turn): self._turns[turn] for turn in sorted(self._turns)}
        counted = {ALL: _sum(self._roles.values()), **self._roles, **turns, **labels}
        return [CoverageRow(part, *counts) for part, counts in counted.items()]


def coverage(examples: Iterable[Example]) -> list[CoverageRow]:
    counted = Coverage()
    for example in examples:
        counted.add(example)
    return counted.rows()


def alarm(rows: Sequence[CoverageRow], config: MaskConfig) -> str | None:
    """A sentence when another share of all tokens is trained than the mask's settings expect."""
    row = next((row for row in rows if row.part == ALL), None)
    if row is None or config.least <= row.share <= config.most:
        return None
    return (
        f"{row.share:.1%} of all tokens would be trained, outside the expected {config.least:.1%} to "
        f"{config.most:.1%}: change mask.hide, or move mask.least and mask.most if this is as it should be."
    )


def coverage_table(rows: Sequence[CoverageRow]) -> "Table":
    from rich.table import Table

    table = Table("part", "tokens", "trained", "share", title="Mask coverage")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(row.part, f"{row.tokens:,}", f"{row.trained:,}", f"{row.share:.1%}")
    return table


_Counts = defaultdict[str | int, list[int]]


def _turn_name(turn: int) -> str:
    return f"assistant turn {turn + 1}" if turn < SHOWN_TURNS else f"assistant turns after {SHOWN_TURNS}"


def _sum(counts: Iterable[list[int]]) -> list[int]:
    return [sum(column) for column in zip(*counts, strict=True)]


def _minus(counts: list[int], others: list[int]) -> list[int]:
    return [count - other for count, other in zip(counts, others, strict=True)]
