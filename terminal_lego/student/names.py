"""What a model or a data set may be called in public: its name on the hub, or its last part alone."""

import re
from pathlib import Path, PurePath

TRAINING = "training.json"
"""Beside a student: {"profiles": {wording: conversations}, "thinking": policy} of its training.

`python -m eval` refuses another wording, and takes thoughts out where earlier ones were not read."""

_HUB = re.compile(r"(?P<name>[\w-][\w.-]*/[\w-][\w.-]*)(?:@[\w./-]+)?", re.ASCII)
_FILES = (".json", ".jsonl", ".parquet")


def hub_name(source: str) -> str | None:
    """`org/name` without its revision; None for what is, or only can be, a path of some machine."""
    found = _HUB.fullmatch(source)
    return found["name"] if found and not source.endswith(_FILES) and not Path(source).exists() else None


def public_name(source: str) -> str:
    """The hub name with its revision; of a path its last part, which says nothing about the machine."""
    return source if hub_name(source) else PurePath(source).name or source


def split_source(source: str) -> tuple[str, str]:
    """("deepseek", "rows.json") of "deepseek=rows.json": whose trajectories, and where they were."""
    model, equals, place = source.partition("=")
    return (model, place) if equals and model and model[0] not in "/.~" else ("", source)
