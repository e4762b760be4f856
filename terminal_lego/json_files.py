"""JSON on disk: append-only lines, and whole files that are never half written."""

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def finite(value: Any) -> Any:
    """`value` with NaN and infinities as null, which JSON has no other word for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): finite(value[key]) for key in value}
    return [finite(item) for item in value] if isinstance(value, list | tuple) else value


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Appends one JSON line and flushes it. A line torn by an earlier crash is closed first."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(json.dumps(finite(record), ensure_ascii=False, default=str).encode() + b"\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file that `append_line` wrote, without lines torn by a crash."""
    records = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


def write_whole(path: Path, text: str) -> None:
    """Writes beside `path` and moves into place: a reader sees the old file or the new one, never half."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def write_json(path: Path, value: Any) -> None:
    write_whole(path, json.dumps(finite(value), indent=2, ensure_ascii=False, default=str) + "\n")


@contextmanager
def writing_lines(path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Gives a function that writes one JSON line; the file takes its place when all are written."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with draft.open("w", encoding="utf-8") as file:
            yield lambda record: print(json.dumps(finite(record), ensure_ascii=False), file=file)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
