"""Rendered conversations on disk, found again only when nothing that shaped them has changed."""

import hashlib
import json
import os
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from terminal_lego.json_files import finite, write_json
from terminal_lego.rendering.example import Example, Span
from terminal_lego.rendering.masks import MaskConfig

if TYPE_CHECKING:
    from datasets import Dataset
    from pyarrow import RecordBatch, Schema
    from transformers import PreTrainedTokenizerBase

PACKAGE = Path(__file__).parents[1]
CODE = ("rendering", "grounding", "curation", "formats", "reply.py", "trajectory.py")
"""What of the package decides about tokens and weights."""

ROWS_PER_BATCH = 64


def cache_key(
    tokenizer: "PreTrainedTokenizerBase",
    mask: MaskConfig,
    *,
    sources: Sequence[str],
    selection: Mapping[str, Any],
    limits: Mapping[str, Any],
) -> str:
    """A name for the examples made with exactly these settings, data and code.

    Args:
        sources: a digest of each source of trajectories, in the order they are read.
        selection: settings of the selection.
        limits: settings that drop examples by their length.
    """
    core = json.loads(tokenizer.backend_tokenizer.to_str())
    # Traces of the last call, not of the tokenizer.
    core |= {"truncation": None, "padding": None}
    shaped_by = {
        "code": [(name, _digest(path)) for name, path in _code()],
        "tokenizer": core,
        "special tokens": tokenizer.special_tokens_map,
        "template": tokenizer.chat_template,
        "mask": asdict(mask),
        "sources": list(sources),
        "selection": dict(selection),
        "limits": dict(limits),
        "versions": [version(name) for name in ("tokenizers", "transformers")],
    }
    return hashlib.sha256(json.dumps(shaped_by, sort_keys=True, default=str).encode()).hexdigest()


class TokenCache:
    """A folder of files, `<key>.arrow` each, with a `<key>.json` that is written last and vouches for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, key: str) -> "Examples | None":
        """None when there is nothing under this key, or it is torn or was altered."""
        path, voucher = self._paths(key)
        try:
            vouched = json.loads(voucher.read_text(encoding="utf-8"))
            if vouched["sha256"] != _vouch(path, vouched["notes"]):
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Examples(path, vouched["notes"])

    def write(
        self, key: str, examples: Iterable[Example], notes: Callable[[], dict[str, Any]] = dict
    ) -> "Examples":
        """Stores the examples as they come; what was there under this key is replaced at the end.

        Args:
            notes: called when all examples were taken; JSON values that are kept with them.
        """
        path, voucher = self._paths(key)
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            _write(draft, examples)
            kept = json.loads(json.dumps(finite(notes())))
            vouched = {"sha256": _vouch(draft, kept), "notes": kept}
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        write_json(voucher, vouched)
        return Examples(path, kept)

    def _paths(self, key: str) -> tuple[Path, Path]:
        return self.folder / f"{key}.arrow", self.folder / f"{key}.json"


class Examples(Sequence[Example]):
    """The examples of one file, read from a memory map when they are asked for.

    Attributes:
        notes: what was stored with them.
        lengths: tokens of each example; typecode "i".
        trained_tokens: of all examples.
    """

    def __init__(self, path: Path, notes: dict[str, Any]) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self.path = path
        self.notes = notes
        with pa.ipc.open_stream(pa.memory_map(str(path))) as stream:
            table = stream.read_all()
        self._batches: list[RecordBatch] = table.to_batches()
        self._ends = list(accumulate(batch.num_rows for batch in self._batches))
        self.lengths = array("i", pc.list_value_length(table["input_ids"]).to_pylist())
        self.trained_tokens: int = pc.sum(table["trained_tokens"], min_count=0).as_py()

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        chosen = range(len(self))[index]
        if isinstance(chosen, range):
            return [self[each] for each in chosen]
        number = bisect_right(self._ends, chosen)
        batch = self._batches[number]
        return _example(batch, chosen - self._ends[number] + batch.num_rows)

    def __iter__(self) -> Iterator[Example]:
        for batch in self._batches:
            for row in range(batch.num_rows):
                yield _example(batch, row)

    def dataset(self) -> "Dataset":
        """Columns input_ids and labels, mapped from the same file."""
        from datasets import Dataset

        return Dataset.from_file(str(self.path)).select_columns(["input_ids", "labels"])


def _code() -> Iterator[tuple[str, Path]]:
    for name in CODE:
        path = PACKAGE / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and file.suffix != ".pyc":
                yield file.relative_to(PACKAGE).as_posix(), file


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _vouch(path: Path, notes: dict[str, Any]) -> str:
    written = json.dumps([_digest(path), notes], sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()


def _schema() -> "Schema":
    import pyarrow as pa

    span = pa.struct(
        {
            "role": pa.string(),
            "turn": pa.int32(),
            "start": pa.int32(),
            "end": pa.int32(),
            "label": pa.string(),
        }
    )
    return pa.schema(
        {
            "id": pa.string(),
            "input_ids": pa.list_(pa.int32()),
            "labels": pa.list_(pa.int32()),
            # Runs of equal weight: where each ends, and which it is.
            "weight_ends": pa.list_(pa.int32()),
            "weights": pa.list_(pa.float32()),
            "trained_tokens": pa.int64(),
            "spans": pa.list_(span),
            "parts": pa.list_(span),
        }
    )


def _write(path: Path, examples: Iterable[Example]) -> None:
    import pyarrow as pa

    schema = _schema()
    remaining = iter(examples)
    with path.open("wb") as file:
        with pa.ipc.new_stream(file, schema) as stream:
            while rows := [_row(example) for example in islice(remaining, ROWS_PER_BATCH)]:
                stream.write_batch(pa.RecordBatch.from_pylist(rows, schema))
        file.flush()
        os.fsync(file.fileno())


def _row(example: Example) -> dict[str, Any]:
    weights = np.asarray(example.weights, dtype=np.float32)
    ends = np.append(np.flatnonzero(np.diff(weights)) + 1, len(weights)).astype(np.int32)
    return {
        "id": example.id,
        "input_ids": np.asarray(example.input_ids, dtype=np.int32),
        "labels": np.asarray(example.labels, dtype=np.int32),
        "weight_ends": ends,
        "weights": weights[ends - 1],
        "trained_tokens": example.trained_tokens,
        "spans": [asdict(span) for span in example.spans],
        "parts": [asdict(span) for span in example.parts],
    }


def _example(batch: "RecordBatch", row: int) -> Example:
    def numbers(column: str) -> np.ndarray:
        return batch.column(column)[row].values.to_numpy()

    def spans(column: str) -> tuple[Span, ...]:
        return tuple(Span(**span) for span in batch.column(column)[row].as_py())

    weights = np.repeat(numbers("weights"), np.diff(numbers("weight_ends"), prepend=0))
    return Example(
        batch.column("id")[row].as_py(),
        array("i", numbers("input_ids").tobytes()),
        array("f", weights.tobytes()),
        spans("spans"),
        spans("parts"),
    )
