"""The corpus on disk: a JSON list for each teacher, in ShareGPT rows, and all of it as one Parquet file."""

import json
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.trajectories import TEACHERS, row
from terminal_lego.formats import iter_trajectories, write_parquet
from terminal_lego.json_files import write_json

_CHUNK = 50
Item = TypeVar("Item")


@dataclass(frozen=True)
class Corpus:
    """`folder` with json/<teacher>.json and trajectories.parquet; they hold the same `trajectories`."""

    folder: Path
    trajectories: int

    @property
    def json(self) -> Path:
        return self.folder / "json"

    @property
    def parquet(self) -> Path:
        return self.folder / "trajectories.parquet"

    @property
    def json_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.json.iterdir())


def make(folder: Path, trajectories: int, workers: int) -> Corpus:
    """Writes the corpus, unless a complete one of this size is there."""
    corpus = Corpus(folder, trajectories)
    voucher = folder / "complete.json"
    wanted = {"trajectories": trajectories, "teachers": [teacher.name for teacher in TEACHERS]}
    if voucher.exists() and json.loads(voucher.read_text()) == wanted:
        return corpus
    voucher.unlink(missing_ok=True)
    corpus.json.mkdir(parents=True, exist_ok=True)
    tasks = trajectories // len(TEACHERS)
    chunks = [
        (index, start, min(start + _CHUNK, tasks))
        for index in range(len(TEACHERS))
        for start in range(0, tasks, _CHUNK)
    ]
    with multiprocessing.get_context("forkserver").Pool(workers) as pool:
        made = pool.imap(_rows, chunks)
        for index, teacher in enumerate(TEACHERS):
            rows = (row for chunk in chunks if chunk[0] == index for row in next(made))
            with (corpus.json / f"{teacher.name}.json").open("w", encoding="utf-8") as file:
                for number, text in enumerate(_shown(rows, tasks, f"{teacher.name}.json")):
                    file.write(("[\n" if number == 0 else ",\n") + text)
                file.write("\n]\n")
    found = iter_trajectories(corpus.json)
    write_parquet(_shown(found, tasks * len(TEACHERS), corpus.parquet.name), corpus.parquet)
    write_json(voucher, wanted)
    return corpus


def _rows(chunk: tuple[int, int, int]) -> list[str]:
    index, start, stop = chunk
    return [json.dumps(row(number, TEACHERS[index]), ensure_ascii=False) for number in range(start, stop)]


def _shown(items: Iterable[Item], total: int, name: str) -> Iterator[Item]:
    """Says every few seconds how far it is, and how fast."""
    begun = said = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - said > 5 or done == total:
            said = now
            print(f"{name}: {done:,} of {total:,}, {done / (now - begun):,.0f}/s", file=sys.stderr)
