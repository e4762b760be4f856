"""Runs one thing in a process of its own and looks on: how long it takes, how much memory it holds."""

import multiprocessing
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_INTERVAL = 0.05


@dataclass(frozen=True)
class Measured(Generic[T]):
    """`peak_bytes`: most that was resident at once, summed over the process and all below it; pages
    that they share count for each."""

    result: T
    peak_bytes: int


@dataclass(frozen=True)
class Seconds:
    """Of several rounds of the same work."""

    rounds: tuple[float, ...]

    @property
    def least(self) -> float:
        return min(self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


def alone(function: Callable[..., T], *arguments: Any, **environment: str) -> Measured[T]:
    """Calls a module's function in a fresh interpreter, with more environment variables.

    Memory is looked at 20 times a second.
    """
    context = multiprocessing.get_context("spawn")
    with _environment(environment), ProcessPoolExecutor(1, mp_context=context) as pool:
        child = pool.submit(os.getpid).result()
        with _sampled(child) as sums:
            result = pool.submit(function, *arguments).result()
    return Measured(result, max(sums))


def on_cores(count: int, function: Callable[..., T], *arguments: Any) -> T:
    """Calls it with the process held to so many cores, for good."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    return function(*arguments)


def rounds(works: Mapping[str, Callable[[], object]], count: int) -> dict[str, Seconds]:
    """Seconds of each work, all of them in turn in every round, so that a busy moment hits none alone."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(count):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            spent[name].append(time.perf_counter() - begun)
    return {name: Seconds(tuple(seconds)) for name, seconds in spent.items()}


@contextmanager
def _environment(changed: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changed)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _sampled(process: int) -> Iterator[list[int]]:
    """Gives a list that collects the bytes resident in a process and those below it."""
    sums = [_resident(process)]
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(_INTERVAL):
            sums.append(sum(map(_resident, _family(process))))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield sums
    finally:
        stop.set()
        thread.join()


def _family(process: int) -> list[int]:
    found = [process]
    for member in found:
        try:
            tasks = list(Path(f"/proc/{member}/task").iterdir())
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def processor() -> str:
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next(
        (line.split(": ", 1)[1] for line in facts if line.startswith("model name")), platform.machine()
    )
