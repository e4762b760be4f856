"""Anybody's Parquet files, a few rows at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.loading import MAX_ROW, TOO_LARGE, open_regular

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH = 64


def parquet_rows(file: Path, columns: Sequence[str] | None = None) -> Iterator[tuple[str, Any]]:
    """Where in the file (":7") and the row as plain Python values; one that is too large as a
    TrajectoryError. Rows are yielded only when all of the file can be decoded.

    Args:
        columns: read only these.

    Raises:
        TrajectoryError: the file, or a part of it, is damaged.
    """
    with _opened(file) as table:
        for batch in _batches(table, columns):
            batch.validate(full=True)
        number = 0
        for batch in _batches(table, columns):
            for row in _plain(batch):
                number += 1
                yield f":{number}", row


def parquet_columns(file: Path) -> set[str]:
    with _opened(file) as table:
        return set(table.schema_arrow.names)


def parquet_metadata(file: Path) -> dict[str, str]:
    with _opened(file) as table:
        found = table.metadata.metadata or {}
        return {key.decode(errors="replace"): value.decode(errors="replace") for key, value in found.items()}


@contextmanager
def _opened(file: Path) -> Iterator["pq.ParquetFile"]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    open_regular(file).close()
    try:
        with pq.ParquetFile(file, pre_buffer=False, page_checksum_verification=True) as table:
            yield table
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, TrajectoryError):
            raise
        raise TrajectoryError(f"not a readable Parquet file: {str(error).partition(chr(10))[0]}") from None


def _batches(table: "pq.ParquetFile", columns: Sequence[str] | None) -> Iterator["pa.RecordBatch"]:
    return table.iter_batches(batch_size=_BATCH, columns=columns, use_threads=False)


def _plain(batch: "pa.RecordBatch") -> Iterator[Any]:
    if batch.nbytes <= MAX_ROW:
        yield from batch.to_pylist()
        return
    for index in range(batch.num_rows):
        row = batch.slice(index, 1)
        yield TrajectoryError(TOO_LARGE) if row.nbytes > MAX_ROW else row.to_pylist()[0]
