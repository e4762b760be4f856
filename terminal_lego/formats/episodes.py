"""Exports with one row per episode: each holds the whole conversation so far, so only the last counts."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.json_rows import first_row, json_rows
from terminal_lego.formats.loading import decode, parse_json
from terminal_lego.formats.parquet_rows import parquet_columns, parquet_rows

_COLUMNS = ("episode", "trial_name", "run_id", "trace_source")
_NUMBER = re.compile(r"\d+$")

Trial = tuple[Any, ...]


class LastEpisodes:
    """Which row of each exported trial is its last, over files that belong together.

    Finding out takes a reading of the episode columns beforehand, of those files whose first row has them.
    """

    def __init__(self, files: Iterable[Path]):
        self._last: dict[Trial, tuple[int, Path, str]] = {}
        for file in files:
            try:
                if _is_export(file):
                    self._scan(file)
            except (OSError, TrajectoryError):
                continue  # It will be set aside when it is read.

    def check(self, row: Any, file: Path, place: str) -> None:
        """Let a row pass that stands for its trial, or belongs to none.

        Raises:
            TrajectoryError: the row is an earlier episode, or the conversation of a sub-agent.
        """
        trial = _trial(row)
        if trial is None:
            return
        if (kind := row.get("trace_source")) not in (None, "", "main"):
            raise TrajectoryError(f"a sub-agent's conversation ({kind}), not the main one")
        last = self._last.get(trial)
        if last is not None and last[1:] != (file, place):
            raise TrajectoryError(f"an earlier episode of {row.get('trial_name') or row.get('run_id')}")

    def _scan(self, file: Path) -> None:
        rows = parquet_rows(file, _present(file)) if file.suffix == ".parquet" else json_rows(file)
        for place, value in rows:
            row = _parsed(value)
            trial = _trial(row)
            if trial is None:
                continue
            number = _number(row["episode"])
            if trial not in self._last or number > self._last[trial][0]:
                self._last[trial] = (number, file, place)


def _is_export(file: Path) -> bool:
    if file.suffix == ".parquet":
        return "episode" in parquet_columns(file)
    first = _parsed(first_row(file))
    return isinstance(first, Mapping) and "episode" in first


def _present(file: Path) -> list[str]:
    return [name for name in _COLUMNS if name in parquet_columns(file)]


def _parsed(value: Any) -> Any:
    try:
        return parse_json(decode(value)) if isinstance(value, bytes) else value
    except TrajectoryError:
        return None


def _trial(row: Any) -> Trial | None:
    """What all rows of one trial share; None for a row that is no episode of any."""
    if not isinstance(row, Mapping) or row.get("episode") is None:
        return None
    names = row.get("run_id"), row.get("trial_name")
    known = [name for name in names if isinstance(name, str) and name]
    return (
        (*names, row.get("trace_source")) if known and all(isinstance(n, str | None) for n in names) else None
    )


def _number(episode: Any) -> int:
    found = _NUMBER.search(str(episode))
    return int(found[0][-18:]) if found else -1
