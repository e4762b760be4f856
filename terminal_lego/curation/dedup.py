"""Duplicates of one teacher: the same instruction answered with the same replies, or nearly so.

Two teachers' answers to one task are never duplicates of each other. Of a group of duplicates the one with
the highest reward stays, then the one with the first id.
"""

import hashlib
import math
from collections.abc import Callable, Sequence

from terminal_lego.curation.draw import identity
from terminal_lego.curation.shingles import jaccard, shingles
from terminal_lego.curation.steps import Split, Step, divide, grouped
from terminal_lego.trajectory import Trajectory

TaskText = Callable[[Trajectory], str]

PERMUTATIONS = 128
MISSED = 0.01
"""The largest chance that a pair as alike as the threshold is never compared."""

STANDARD_ERRORS = 3
"""A pair whose sketches put it this far below the threshold is not compared exactly."""


def exact(task_text: TaskText | None = None) -> Step:
    """Drop what has the instruction and the replies of another, character for character."""
    text_of = _text_of(task_text)

    def step(trajectories: Sequence[Trajectory]) -> Split:
        digests = [hashlib.sha256(text_of(t).encode("utf-8", "surrogatepass")).digest() for t in trajectories]
        groups = grouped(range(len(trajectories)), lambda index: (trajectories[index].model, digests[index]))
        reasons: dict[int, str] = {}
        details: dict[int, str] = {}
        for members in groups.values():
            first, *others = sorted(members, key=lambda index: _precedence(trajectories[index]))
            reasons |= dict.fromkeys(others, "duplicate")
            details |= dict.fromkeys(others, f"of {trajectories[first].id}")
        return divide(trajectories, reasons, details)

    return step


def near(threshold: float, task_text: TaskText | None = None) -> Step:
    """Drop what is like one that stays: Jaccard similarity of word 5-shingles of at least `threshold`.

    Pairs to compare are found by MinHash and locality-sensitive hashing, and then compared exactly.
    """
    text_of = _text_of(task_text)

    def step(trajectories: Sequence[Trajectory]) -> Split:
        reasons: dict[int, str] = {}
        details: dict[int, str] = {}
        for members in grouped(trajectories, lambda t: t.model).values():
            members.sort(key=lambda index: _precedence(trajectories[index]))
            for index, original, similarity in _near_pairs(members, trajectories, threshold, text_of):
                reasons[index] = "near duplicate"
                details[index] = f"of {trajectories[original].id} (similarity {similarity:.2f})"
        return divide(trajectories, reasons, details)

    return step


def bands(threshold: float, permutations: int = PERMUTATIONS) -> tuple[int, int]:
    """(b, r): b bands of r hash values, with the largest r that `MISSED` allows.

    Two sets of Jaccard similarity s share a band with probability 1 - (1 - s^r)^b (Leskovec, Rajaraman and
    Ullman, Mining of Massive Datasets, 3.4.2).
    """
    for rows in range(permutations // 2, 1, -1):
        if (1 - threshold**rows) ** (permutations // rows) <= MISSED:
            return permutations // rows, rows
    return permutations, 1


def _near_pairs(
    members: Sequence[int], trajectories: Sequence[Trajectory], threshold: float, text_of: TaskText
) -> list[tuple[int, int, float]]:
    """(duplicate, the one it duplicates, similarity), given in order of precedence."""
    from datasketch import MinHash, MinHashLSH

    index_of_kept = MinHashLSH(num_perm=PERMUTATIONS, params=bands(threshold))
    empty = MinHash(num_perm=PERMUTATIONS, hashfunc=int)
    least = threshold - STANDARD_ERRORS * math.sqrt(threshold * (1 - threshold) / PERMUTATIONS)
    kept: dict[int, MinHash] = {}
    found: list[tuple[int, int, float]] = []
    place = {index: number for number, index in enumerate(members)}
    for index in members:
        own = shingles(text_of(trajectories[index]))
        sketch = empty.copy()
        sketch.update_batch(own.tolist())
        for candidate in sorted(index_of_kept.query(sketch), key=place.__getitem__):
            if sketch.jaccard(kept[candidate]) < least:
                continue
            # Made anew: candidates are few, and the shingles of all trajectories would fill the memory.
            similarity = jaccard(own, shingles(text_of(trajectories[candidate])))
            if similarity >= threshold:
                found.append((index, candidate, similarity))
                break
        else:
            kept[index] = sketch
            index_of_kept.insert(index, sketch)
    return found


def _text_of(task_text: TaskText | None) -> TaskText:
    if task_text is None:
        from terminal_lego.grounding.task_text import task_text
    return lambda trajectory: "\0".join((task_text(trajectory), *(turn.reply for turn in trajectory.turns)))


def _precedence(trajectory: Trajectory) -> tuple[float, tuple[str, str, str]]:
    reward = trajectory.reward
    return (float("inf") if reward is None else -reward, identity(trajectory))
