"""Recorded text as Markdown that shows it and does nothing else."""

import re
from collections.abc import Sequence

from markupsafe import Markup

_MARKS = re.compile(r"[\\`*_\[\]|~$<>&!@]|:(?=//)")
_BAR = re.compile(r"(?<!\\)\|")
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


def escaped(value: object) -> Markup:
    """One line in which no character is Markdown or HTML."""
    return Markup(_MARKS.sub(lambda mark: f"\\{mark[0]}", _INVISIBLE.sub(" ", str(value))).strip())


def code(value: object) -> Markup:
    """One line to be read letter by letter: a name, a digest, a command."""
    text = _INVISIBLE.sub(" ", str(value)).strip()
    return escaped(text) if "`" in text or not text else Markup(f"`{text}`")


def block(text: str) -> Markup:
    """Shell lines in a frame."""
    return Markup(f"```sh\n{text}\n```")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Markup:
    """Whole numbers stand to the right, with thousands apart; a cell that is Markup stays as it is."""
    numbers = [bool(rows) and all(type(row[place]) is int for row in rows) for place in range(len(head))]
    lines = [[_cell(value) for value in row] for row in rows]
    rule = ["--:" if is_number else "---" for is_number in numbers]
    return Markup("\n".join(f"| {' | '.join(line)} |" for line in ([*map(escaped, head)], rule, *lines)))


def _cell(value: object) -> str:
    if type(value) is int:
        return f"{value:,}"
    return _BAR.sub(r"\|", value if isinstance(value, Markup) else escaped(value))
