"""A text cut where commands and tokens begin and end.

The page gets text that is cut already: its script counts UTF-16 units, not characters, so offsets would
not survive the journey.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from terminal_lego.report.inspector.entry import ReplyTokens
from terminal_lego.report.safe_text import visible

Run = list[Any]
"""`[event, pieces]`: the index of the innermost command that holds this text (or None), and the text.

A piece is a string (a whole token of weight 1) or `[string, weight, continued]`,
where `continued` is 1 for a token that began in the piece before.
"""


class Mark(NamedTuple):
    """Characters `[start, end)` belong to the command `event`."""

    start: int
    end: int
    event: int


def runs(text: str, marks: Sequence[Mark], tokens: ReplyTokens) -> list[Run]:
    """All of `text`, which the tokens must spell, in order. Of commands that overlap the shortest owns it."""
    borders = {0, len(text)}
    for mark in marks:
        borders |= {min(mark.start, len(text)), min(mark.end, len(text))}
    stretches = ((*bounds, owner(*bounds, marks)) for bounds in pairwise(sorted(borders)))
    found: list[Run] = []
    cutter = _Cutter(text, tokens)
    for event, group in groupby(stretches, key=lambda stretch: stretch[2]):
        last = list(group)[-1]
        found.append([event, list(cutter.until(last[1]))])
    return found


def owner(start: int, end: int, marks: Sequence[Mark]) -> int | None:
    """The shortest command over all of these characters, the first of several."""
    over = [mark for mark in marks if mark.start <= start and end <= mark.end]
    return min(over, key=lambda mark: mark.end - mark.start).event if over else None


class _Cutter:
    """Hands out a text from left to right, token by token."""

    def __init__(self, text: str, tokens: ReplyTokens) -> None:
        self.text, self.position = text, 0
        self.tokens = zip(tokens.lengths, tokens.weights, strict=True)
        self.left, self.weight, self.is_begun = 0, 1.0, False

    def until(self, end: int) -> Iterator[str | list[Any]]:
        while self.position < end:
            while not self.left:
                self.left, self.weight = next(self.tokens)
                self.is_begun = False
            size = min(self.left, end - self.position)
            piece = visible(self.text[self.position : self.position + size])
            plain = self.weight == 1 and not self.is_begun
            yield piece if plain else [piece, self.weight, int(self.is_begun)]
            self.position += size
            self.left -= size
            self.is_begun = True
