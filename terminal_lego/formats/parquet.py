"""The canonical store: Parquet with one typed row per trajectory and a digest of them all."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.drafts import drafted
from terminal_lego.formats.loading import check_text, one_sentence, parse_json
from terminal_lego.formats.parquet_rows import parquet_metadata
from terminal_lego.trajectory import Trajectory

if TYPE_CHECKING:
    import pyarrow as pa

_ROW_GROUP = 256
_ROW_GROUP_CHARACTERS = 2**26
_DIGEST = "terminal_lego.digest"


def write_parquet(trajectories: Iterable[Trajectory], path: str | Path) -> str:
    """Write trajectories, zstd-compressed; `read_trajectories` gives back the same ones.

    Returns:
        The data digest, which the file's metadata keeps too: sha256 in hex over the rows' content in
        file order. Equal trajectories give equal digests, however they lie in row groups and pages.

    Raises:
        TrajectoryError: one holds something that is not text.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, digest = _schema(), hashlib.sha256()
    options = {"compression": "zstd", "write_page_checksum": True}
    with drafted(path) as draft, pq.ParquetWriter(draft, schema, **options) as writer:
        for rows in _groups(map(_row, trajectories)):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            for row in rows:
                digest.update(_canonical(row))
        writer.add_key_value_metadata({_DIGEST: digest.hexdigest()})
    return digest.hexdigest()


def read_digest(path: str | Path) -> str:
    """The data digest that `write_parquet` stored; the rows are not read.

    Raises:
        TrajectoryError: the file is not one of our own.
    """
    try:
        found = parquet_metadata(Path(path)).get(_DIGEST)
    except TrajectoryError as error:
        raise TrajectoryError(f"{path}: {error}") from None
    if found is None:
        raise TrajectoryError(f"{path} holds no data digest; write it with write_parquet.")
    return found


def is_own_row(row: Any) -> bool:
    return isinstance(row, Mapping) and {"id", "prompt", "turns", "extra"} <= row.keys()


def read_own_row(row: Mapping[str, Any]) -> Trajectory:
    """The trajectory that `write_parquet` made this row from.

    Raises:
        TrajectoryError: columns are missing or of another type.
    """
    extra = row["extra"]
    try:
        data = {**row, "extra": parse_json(extra) if isinstance(extra, str) else extra}
        return _adapter().validate_python(data)
    except ValidationError as error:
        raise TrajectoryError(f"not one of our own rows: {one_sentence(error)}") from None


_LATER = {"finish_reason": None, "parser": "json"}
"""Columns of a turn that earlier files do not have, and what their absence means."""


@cache
def _adapter() -> TypeAdapter[Trajectory]:
    return TypeAdapter(Trajectory)


def _row(trajectory: Trajectory) -> dict[str, Any]:
    return asdict(check_text(trajectory)) | {"extra": json.dumps(trajectory.extra, ensure_ascii=False)}


def _canonical(row: dict[str, Any]) -> bytes:
    """One line of JSON that equal trajectories share, whatever the order of their `extra`."""
    turns = [_told(turn) | {"seconds": _as_float(turn["seconds"])} for turn in row["turns"]]
    plain = row | {"reward": _as_float(row["reward"]), "turns": turns, "extra": json.loads(row["extra"])}
    return json.dumps(plain, sort_keys=True).encode() + b"\n"


def _told(turn: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known or goes without saying: files from before these columns keep their digest."""
    return {key: value for key, value in turn.items() if value != _LATER.get(key, turn)}


def _as_float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _groups(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    characters = 0
    for row in rows:
        group.append(row)
        characters += len(row["prompt"]) + sum(
            len(turn["reply"]) + len(turn["observation"]) for turn in row["turns"]
        )
        if len(group) == _ROW_GROUP or characters >= _ROW_GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


def _schema() -> "pa.Schema":
    import pyarrow as pa

    text, count = pa.string(), pa.int64()
    turn = {
        "reply": text,
        "observation": text,
        "is_raw": pa.bool_(),
        "is_copied": pa.bool_(),
        "reasoning": text,
        "prompt_tokens": count,
        "completion_tokens": count,
        "seconds": pa.float64(),
        "finish_reason": text,
        "parser": text,
    }
    columns = {
        "id": text,
        "task": text,
        "model": text,
        "prompt": text,
        "turns": pa.list_(pa.struct(list(turn.items()))),
        "reward": pa.float64(),
        "exception": text,
        "source": text,
        "agent": text,
        "agent_version": text,
        "extra": text,
    }
    return pa.schema(list(columns.items()))
