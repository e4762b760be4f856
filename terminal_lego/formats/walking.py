"""Going through a folder: which of its files and folders are trajectories, each read by its content."""

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.atif import read_atif
from terminal_lego.formats.atif_schema import is_atif
from terminal_lego.formats.chat import is_chat, read_chat
from terminal_lego.formats.episodes import LastEpisodes
from terminal_lego.formats.harbor import is_trial, read_trial
from terminal_lego.formats.json_rows import json_rows
from terminal_lego.formats.loading import check_text, decode, load_bytes, open_regular, parse_json
from terminal_lego.formats.parquet import is_own_row, read_own_row
from terminal_lego.formats.parquet_rows import parquet_rows
from terminal_lego.formats.responses import is_rollout, read_rollout
from terminal_lego.trajectory import Trajectory

_SUFFIXES = {".json", ".jsonl", ".parquet"}
_JOB_FILES = {"config.json", "result.json", "lock.json"}
_ATTACHMENT = re.compile(r"(.+)\.(cont-\d+|summarization-\d+-\w+)\.json")
_REFERENCE = re.compile(rb'"(?:continued_trajectory_ref|trajectory_path)"\s*:\s*"([^"\\]+)"')
_HEAD = 2**16

Found = Iterator[tuple[str, Trajectory | TrajectoryError]]


def read_folder(root: Path, name: str) -> Found:
    """Everything below `root`, in the order of names.

    Args:
        name: what ids start with, so that they are the same on every machine.
    """
    failures: list[OSError] = []
    for place, folders, names in os.walk(root, onerror=failures.append):
        folder = Path(place)
        id = (Path(name) / folder.relative_to(root)).as_posix()
        if _is_trial(folder, failures):
            folders.clear()
            yield from _attempt(place, partial(read_trial, folder, id))
            continue
        folders.sort()
        files = _data_files(folder, names)
        episodes = LastEpisodes(files)
        for file in files:
            yield from read_file(file, f"{id}/{file.name}", episodes)
    for failure in failures:
        yield str(failure.filename), TrajectoryError(f"cannot be read: {failure.strerror}")


def read_file(file: Path, id: str, episodes: LastEpisodes | None = None) -> Found:
    """Rows one by one; a file that breaks off in the middle is set aside as a whole."""
    episodes = LastEpisodes([file]) if episodes is None else episodes
    is_empty = True
    try:
        for place, value in parquet_rows(file) if file.suffix == ".parquet" else json_rows(file):
            is_empty = False
            source = f"{file}{place}"

            def read(value: Any = value, place: str = place, source: str = source) -> list[Trajectory]:
                row = _parsed(value)
                episodes.check(row, file, place)
                return _read_row(row, id + place, source, file.parent)

            yield from _attempt(source, read)
        if is_empty:
            raise TrajectoryError("holds no rows")
    except TrajectoryError as error:
        yield str(file), error
    except OSError as error:
        yield str(file), TrajectoryError(f"cannot be read: {error.strerror or error}")


def _is_trial(folder: Path, failures: list[OSError]) -> bool:
    try:
        return is_trial(folder)
    except OSError as failure:
        failures.append(failure)
        return False


def _data_files(folder: Path, names: list[str]) -> list[Path]:
    """Without the files that another one leads to: continuations and sub-agents."""
    known = set(names)
    wanted = [name for name in sorted(names) if Path(name).suffix in _SUFFIXES and not name.startswith(".")]
    wanted = [name for name in wanted if name not in _JOB_FILES and not _is_attachment(name, known)]
    led_to = {to for name in wanted if name.endswith(".json") for to in _references(folder / name) - {name}}
    return [folder / name for name in wanted if name not in led_to]


def _is_attachment(name: str, siblings: set[str]) -> bool:
    attachment = _ATTACHMENT.fullmatch(name)
    return bool(attachment) and f"{attachment[1]}.json" in siblings


def _references(file: Path) -> set[str]:
    """Names of the files that an ATIF document leads to, found without parsing it."""
    try:
        with open_regular(file) as stream:
            if b'"ATIF-v' not in stream.read(_HEAD):
                return set()
        found = _REFERENCE.findall(load_bytes(file))
    except (OSError, TrajectoryError):
        return set()
    return {Path(name.decode(errors="replace")).name for name in found}


def _attempt(source: str, read: Callable[[], list[Trajectory]]) -> Found:
    try:
        trajectories = [check_text(trajectory) for trajectory in read()]
    except TrajectoryError as error:
        yield source, error
    except OSError as error:
        yield source, TrajectoryError(f"cannot be read: {error.strerror}")
    else:
        yield from ((source, trajectory) for trajectory in trajectories)


def _parsed(value: Any) -> Any:
    if isinstance(value, TrajectoryError):
        raise value
    return parse_json(decode(value)) if isinstance(value, bytes) else value


def _read_row(row: Any, id: str, source: str, folder: Path) -> list[Trajectory]:
    if is_own_row(row):
        return [read_own_row(row)]
    if is_atif(row):
        return read_atif(row, id=id, source=source, folder=folder)
    if is_rollout(row):
        return [read_rollout(row, id=id, source=source)]
    if is_chat(row):
        return [read_chat(row, id=id, source=source)]
    raise TrajectoryError("no conversation: neither ATIF steps nor `messages`, `conversations` or `response`")
