"""Trajectories from disk to scores, on all cores: this process reads, the others score."""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice

from terminal_lego.formats import SetAside, iter_trajectories
from terminal_lego.grounding.scores import Scores, scores
from terminal_lego.trajectory import Trajectory

_CHUNK = 64
"""Trajectories handed over at once: enough to make the handing cheap, few enough to keep memory flat."""

Found = Trajectory | SetAside


def scored(sources: Iterable[str], workers: int | None = None) -> Iterator[Scores | SetAside]:
    """Scores in the order of reading, with what was set aside in between.

    Args:
        workers: processes that score; by default one per core.

    Raises:
        TrajectoryError: a source does not exist or holds nothing that could be a trajectory.
    """
    items = (item for source in sources for item in iter_trajectories(source))
    first = list(islice(items, _CHUNK))
    workers = workers or len(os.sched_getaffinity(0))
    if workers == 1 or len(first) < _CHUNK:
        for chunk in _chunks(first, items):
            yield from _score(chunk)
        return
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting: deque[Future[list[Scores | SetAside]]] = deque()
        for chunk in _chunks(first, items):
            waiting.append(pool.submit(_score, chunk))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        for future in waiting:
            yield from future.result()


def _chunks(first: list[Found], rest: Iterator[Found]) -> Iterator[list[Found]]:
    chunk = first
    while chunk:
        yield chunk
        chunk = list(islice(rest, _CHUNK))


def _score(chunk: Sequence[Found]) -> list[Scores | SetAside]:
    return [item if isinstance(item, SetAside) else scores(item) for item in chunk]
