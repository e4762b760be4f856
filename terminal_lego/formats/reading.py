"""Reading whatever lies at a path or on the hub: what can be read is read whole, the rest is set aside
with a reason."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.hub import download, is_hub_name
from terminal_lego.formats.walking import Found, read_file, read_folder
from terminal_lego.trajectory import Trajectory


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


def read_trajectories(source: str | Path) -> ReadResult:
    """All that `iter_trajectories` yields, at once.

    Raises:
        TrajectoryError: as there.
    """
    result = ReadResult()
    for found in iter_trajectories(source):
        if isinstance(found, SetAside):
            result.set_aside.append(found)
        else:
            result.trajectories.append(found)
    return result


def iter_trajectories(source: str | Path) -> Iterator[Trajectory | SetAside]:
    """Read one file or a folder of any depth, by content: Harbor jobs and trials, ATIF files, chat
    rows (`messages`, ShareGPT) and Responses rollouts in JSON, JSONL or Parquet, and our own Parquet.

    No more than a few rows are held at a time. A JSON list or a Parquet file that breaks off somewhere is
    set aside whole, and so is a JSON list with an item of more than 64 MiB; a line or a Parquet row of that
    size is set aside alone. Ids are unique: of two trajectories with one id the first is kept. Links to
    folders below the given one are not followed.

    Args:
        source: a path, or, when there is no such path, the name of a data set on the Hugging Face hub:
            `org/name` or `org/name@revision`. `model=` in front of either says whose trajectories these
            are, for sources that do not name the model.

    Raises:
        TrajectoryError: at once when the source does not exist, at the end when nothing there could be a
            trajectory.
    """
    model, source = split_model(source)
    if model:
        return (_of(model, item) for item in iter_trajectories(source))
    root = Path(source)
    if _exists(root):
        name = root.absolute().name
    elif is_hub_name(str(source)):
        root, name = download(str(source)), str(source).partition("@")[0]
    else:
        raise TrajectoryError(f"{source} does not exist; give a job folder, a trial folder or a data file.")
    return _unique(source, read_folder(root, name) if root.is_dir() else read_file(root, root.name))


def split_model(source: str | Path) -> tuple[str, str | Path]:
    """("deepseek", "rows.json") of "deepseek=rows.json"; no model where a file has such a name."""
    model, equals, rest = str(source).partition("=")
    named = equals and model and model[0] not in "/.~" and not _exists(Path(source))
    return (model, rest) if named else ("", source)


def _of(model: str, item: Trajectory | SetAside) -> Trajectory | SetAside:
    return replace(item, model=model) if isinstance(item, Trajectory) else item


def _unique(source: str | Path, everything: Found) -> Iterator[Trajectory | SetAside]:
    ids: set[str] = set()
    is_empty = True
    for place, found in everything:
        is_empty = False
        if isinstance(found, TrajectoryError):
            yield SetAside(place, str(found))
        elif found.id in ids:
            yield SetAside(place, f"id {found.id!r} was already read")
        else:
            ids.add(found.id)
            yield found
    if is_empty:
        raise TrajectoryError(f"{source} holds no trial folder and no .json, .jsonl or .parquet file.")


def _exists(root: Path) -> bool:
    try:
        return root.exists()
    except (OSError, ValueError):
        return False
