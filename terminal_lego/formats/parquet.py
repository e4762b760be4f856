"""Parquet: our own files, one typed row per trajectory, and anybody's files, row by row."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.loading import check_text, one_sentence, parse_json
from terminal_lego.trajectory import Trajectory

if TYPE_CHECKING:
    import pyarrow as pa

_ROW_GROUP = 256


def write_parquet(trajectories: Iterable[Trajectory], path: str | Path) -> None:
    """Write trajectories, zstd-compressed; `read_trajectories` gives back the same ones.

    Raises:
        TrajectoryError: one holds something that is not text.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    schema = _schema()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
            for rows in _groups(map(_row, trajectories)):
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def parquet_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Rows as plain Python values, a few at a time.

    Raises:
        TrajectoryError: the file, or a part of it, is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=_ROW_GROUP):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise TrajectoryError(f"not a readable Parquet file: {str(error).partition(chr(10))[0]}") from None


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
        return TypeAdapter(Trajectory).validate_python(data)
    except ValidationError as error:
        raise TrajectoryError(f"not one of our own rows: {one_sentence(error)}") from None


def _row(trajectory: Trajectory) -> dict[str, Any]:
    return asdict(check_text(trajectory)) | {"extra": json.dumps(trajectory.extra, ensure_ascii=False)}


def _groups(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for row in rows:
        group.append(row)
        if len(group) == _ROW_GROUP:
            yield group
            group = []
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
