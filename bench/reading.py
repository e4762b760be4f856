"""From files to scores: reading alone, and with TOR under every variant and the measures beside it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.corpus import Corpus
from bench.measuring import Seconds, alone
from terminal_lego.formats import SetAside, iter_trajectories
from terminal_lego.report.scoring import scored


@dataclass(frozen=True)
class Reading:
    """Seconds for the whole corpus, once or more; the peak is the highest of them."""

    what: str
    trajectories: int
    seconds: Seconds
    peak_bytes: int

    @property
    def per_second(self) -> float:
        return self.trajectories / self.seconds.median

    @property
    def best(self) -> float:
        return self.trajectories / self.seconds.least


def measure(corpus: Corpus, workers: int, count: int) -> list[Reading]:
    """Each kind of reading in turn, `count` times, every time in a fresh process."""
    works: dict[str, tuple[Callable[..., tuple[int, float]], Path]] = {
        "read JSON": (read, corpus.json),
        "read Parquet": (read, corpus.parquet),
        "read and score JSON": (score, corpus.json),
        "read and score Parquet": (score, corpus.parquet),
    }
    spent: dict[str, list[float]] = {what: [] for what in works}
    peaks = dict.fromkeys(works, 0)
    for _ in range(count):
        for what, (work, source) in works.items():
            measured = alone(work, source, workers)
            read_in, seconds = measured.result
            if read_in != corpus.trajectories:
                raise RuntimeError(f"{what}: {read_in} of {corpus.trajectories} trajectories came out.")
            spent[what].append(seconds)
            peaks[what] = max(peaks[what], measured.peak_bytes)
    return [Reading(what, corpus.trajectories, Seconds(tuple(spent[what])), peaks[what]) for what in works]


def read(source: Path, workers: int) -> tuple[int, float]:
    """In one process, whatever `workers` says. Trajectories, and seconds from the first byte to the last."""
    begun = time.perf_counter()
    found = sum(not isinstance(item, SetAside) for item in iter_trajectories(source))
    return found, time.perf_counter() - begun


def score(source: Path, workers: int) -> tuple[int, float]:
    """Start of the workers included."""
    begun = time.perf_counter()
    found = sum(not isinstance(item, SetAside) for item in scored([str(source)], workers))
    return found, time.perf_counter() - begun
