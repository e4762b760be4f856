"""Programs that take the keyboard: while one runs, what is typed is its input and no shell command."""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Program(NamedTuple):
    """What gives the keyboard back: typed text that `leaves` matches, or one of the tmux `keys`.

    It takes the keyboard only with at most `operands` words that are no flags, and none of the flags `batch`.
    """

    leaves: re.Pattern[str]
    keys: frozenset[str]
    operands: int
    batch: frozenset[str]


def opened(program: str, arguments: Sequence[str]) -> Program | None:
    """The entry of the program that has the keyboard after this command, or None."""
    entry = programs().get(program)
    if entry is None or any(word in entry.batch for word in arguments):
        return None
    operands = sum(not word.startswith("-") for word in arguments)
    return entry if operands <= entry.operands else None


@cache
def programs() -> dict[str, Program]:
    """interactive.toml, by program name."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    return {
        name: Program(
            re.compile(group["leaves"]),
            frozenset(group["keys"]),
            group["operands"],
            frozenset(group["batch"]),
        )
        for group in table.values()
        for name in group["programs"]
    }
