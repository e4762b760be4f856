"""Text of unknown origin as Markdown that shows it and does nothing else."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from terminal_lego.report.safe_text import visible

if TYPE_CHECKING:
    from rich.table import Table

_LONGEST = 120
_LINES = 8
# An underscore inside a word means nothing; a colon before slashes makes a link.
_MARKS = re.compile(
    r"[\\`*\[\]|~$!@]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=\bwww)\.|^[#+-]|(?<=^\d)[.)](?=\s|$)"
)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(text: str) -> Markup:
    """One line in which no character is Markdown or HTML; what is too long to be a name is cut."""
    line = " ".join(visible(text).split())
    if len(line) > _LONGEST:
        line = line[: _LONGEST - 1] + "…"
    line = _MARKS.sub(lambda mark: f"\\{mark[0]}", line)
    return Markup(re.sub("[&<>]", lambda mark: _ENTITIES[mark[0]], line))


def block(text: str, language: str = "") -> Markup:
    """Lines in a frame, character by character; none of them may begin with three backticks."""
    return Markup(f"```{language}\n{visible(text)}\n```")


def table(head: Sequence[str], rows: Sequence[Sequence[str | int]], words: int = 1) -> Markup:
    """A table that also reads well as plain text: the first `words` columns to the left, the others right."""
    return _aligned(head, rows, [column < words for column in range(len(head))])


def from_rich(source: "Table") -> Markup:
    """A table made for the terminal; the lines of a cell are joined by semicolons."""
    head = [str(column.header) for column in source.columns]
    rows = list(zip(*(map(str, column.cells) for column in source.columns), strict=True))
    return _aligned(head, rows, [column.justify != "right" for column in source.columns])


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str | int]], left: Sequence[bool]) -> Markup:
    lines = [[_cell(value) for value in row] for row in (head, *rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(head))]
    rule = ["-" * width if left[column] else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    padded = [
        [
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(line, widths, left, strict=True)
        ]
        for line in (lines[0], rule, *lines[1:])
    ]
    return Markup("\n".join(f"| {' | '.join(line)} |" for line in padded))


def _cell(value: str | int) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    lines = [escaped(line) for line in value.split("\n") if line.strip()]
    rest = [f"and {len(lines) - _LINES:,} more"] if len(lines) > _LINES else []
    return "; ".join(lines[:_LINES] + rest)
