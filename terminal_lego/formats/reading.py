"""Reading whatever lies at a path: what can be read is read whole, the rest is set aside with a reason."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.atif import is_atif, read_atif
from terminal_lego.formats.chat import is_chat, read_chat
from terminal_lego.formats.harbor import is_trial, read_trial
from terminal_lego.formats.loading import check_text, decode, json_lines, load_bytes, parse_json
from terminal_lego.formats.parquet import is_own_row, parquet_rows, read_own_row
from terminal_lego.trajectory import Trajectory

_SUFFIXES = {".json", ".jsonl", ".parquet"}
_JOB_FILES = {"config.json", "result.json", "lock.json"}
_ATTACHMENT = re.compile(r"(.+)\.(cont-\d+|summarization-\d+-\w+)\.json")

Found = Iterator[tuple[str, Trajectory | TrajectoryError]]


@dataclass(frozen=True)
class SetAside:
    """Something that could not be read: where (file, or file:line, counted from 1), and why."""

    source: str
    reason: str


@dataclass(frozen=True)
class ReadResult:
    """Everything that was met: each thing either read or set aside, in order."""

    trajectories: list[Trajectory] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)


def read_trajectories(path: str | Path) -> ReadResult:
    """Read one file or a folder of any depth, by content: Harbor jobs and trials, ATIF files, chat
    rows (`messages`, ShareGPT) in JSON, JSONL or Parquet, and our own Parquet.

    Ids are unique within the result: of two trajectories with one id the first is kept. Links to
    folders below the given one are not followed.

    Raises:
        TrajectoryError: the path does not exist, or nothing there could be a trajectory.
    """
    root = Path(path)
    if not _exists(root):
        raise TrajectoryError(f"{path} does not exist; give a job folder, a trial folder or a data file.")
    trajectories: dict[str, Trajectory] = {}
    set_aside: list[SetAside] = []
    for source, found in _read_root(root):
        if isinstance(found, TrajectoryError):
            set_aside.append(SetAside(source, str(found)))
        elif found.id in trajectories:
            set_aside.append(SetAside(source, f"id {found.id!r} was already read"))
        else:
            trajectories[found.id] = found
    if not trajectories and not set_aside:
        raise TrajectoryError(f"{path} holds no trial folder and no .json, .jsonl or .parquet file.")
    return ReadResult(list(trajectories.values()), set_aside)


def _exists(root: Path) -> bool:
    try:
        return root.exists()
    except OSError:
        return False


def _read_root(root: Path) -> Found:
    if not root.is_dir():
        yield from _read_file(root, root.name)
        return
    failures: list[OSError] = []
    for name, folders, files in os.walk(root, onerror=failures.append):
        folder = Path(name)
        # The root's own name in front makes ids that are the same on every machine.
        id = (Path(root.absolute().name) / folder.relative_to(root)).as_posix()
        if _is_trial(folder, failures):
            folders.clear()
            yield from _attempt(name, partial(read_trial, folder, id))
            continue
        folders.sort()
        for file in sorted(files):
            if _is_data(file, files):
                yield from _read_file(folder / file, f"{id}/{file}")
    for failure in failures:
        yield str(failure.filename), TrajectoryError(f"cannot be read: {failure.strerror}")


def _is_trial(folder: Path, failures: list[OSError]) -> bool:
    try:
        return is_trial(folder)
    except OSError as failure:
        failures.append(failure)
        return False


def _is_data(name: str, siblings: list[str]) -> bool:
    attachment = _ATTACHMENT.fullmatch(name)
    if attachment and f"{attachment[1]}.json" in siblings:
        return False
    return Path(name).suffix in _SUFFIXES and name not in _JOB_FILES and not name.startswith(".")


def _read_file(file: Path, id: str) -> Found:
    """Rows one by one; a file that breaks off in the middle is set aside as a whole."""
    found: list[tuple[str, Trajectory | TrajectoryError]] = []
    try:
        for place, value in _rows(file):
            source = f"{file}{place}"
            found += _attempt(source, partial(_read_row, value, id + place, source, file.parent))
        if not found:
            raise TrajectoryError("holds no rows")
    except TrajectoryError as error:
        found = [(str(file), error)]
    yield from found


def _attempt(source: str, read: Callable[[], list[Trajectory]]) -> Found:
    try:
        trajectories = [check_text(trajectory) for trajectory in read()]
    except TrajectoryError as error:
        yield source, error
    except OSError as error:
        yield source, TrajectoryError(f"cannot be read: {error.strerror}")
    else:
        yield from ((source, trajectory) for trajectory in trajectories)


def _rows(file: Path) -> Iterator[tuple[str, Any]]:
    """Where in the file (":7", or "" for all of it), and the value there; lines of JSONL still as bytes."""
    if file.suffix == ".parquet":
        yield from ((f":{number}", row) for number, row in enumerate(parquet_rows(file), start=1))
        return
    data = load_bytes(file)
    try:
        value = None if file.suffix == ".jsonl" else parse_json(decode(data).removeprefix("\ufeff"))
    except TrajectoryError as error:
        if "Extra data" not in str(error):
            raise
        value = None
    if value is None:
        yield from ((f":{number}", line) for number, line in json_lines(data))
    elif isinstance(value, list):
        yield from ((f":{number}", item) for number, item in enumerate(value, start=1))
    else:
        yield "", value


def _read_row(value: Any, id: str, source: str, folder: Path) -> list[Trajectory]:
    if isinstance(value, bytes):
        value = parse_json(decode(value))
    if is_own_row(value):
        return [read_own_row(value)]
    if is_atif(value):
        return read_atif(value, id=id, source=source, folder=folder)
    if is_chat(value):
        return [read_chat(value, id=id, source=source)]
    if isinstance(value, dict) and "responses_create_params" in value:
        raise TrajectoryError("an OpenAI Responses rollout, which is not supported yet")
    raise TrajectoryError("no conversation: neither ATIF steps nor `messages` nor `conversations`")
