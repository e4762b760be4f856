"""What a verifier printed: whether its tests ran at all, and if not, which download kept them from it.

Many verifiers install their tools from the network first and write a reward of 0 when that fails. Such a
0 says nothing about the agent.
"""

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PATTERNS = Path(__file__).with_suffix(".toml")


def verifier_trouble(stdout: str) -> str | None:
    """The tool that could not fetch what the tests need: "apt", "pip", "uv" or "download".

    Args:
        stdout: all of test-stdout.txt.

    Returns:
        None when a test ran, whatever was said before, or when nothing reads like a failed download.
    """
    ran, trouble = _patterns()
    if ran.search(stdout):
        return None
    found = {tool: match.start() for tool, pattern in trouble.items() if (match := pattern.search(stdout))}
    return min(found, key=found.__getitem__) if found else None


@cache
def _patterns() -> tuple[re.Pattern[str], dict[str, re.Pattern[str]]]:
    data = tomllib.loads(PATTERNS.read_text())
    return _any_of(data["ran"]), {tool: _any_of(patterns) for tool, patterns in data["trouble"].items()}


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.MULTILINE)
