"""How the student kept to the format: shares of its replies over all trials of a job."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats import read_trajectories
from terminal_lego.trajectory import Turn

LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Turns:
    """Replies of a job.

    Attributes:
        count: replies kept as the model wrote them.
        invalid_format: share of them that could not be parsed, cut ones left out; NaN without a reply.
        cut_by_length: share that ended at the output limit; NaN where no trial recorded how replies ended.
    """

    count: int
    invalid_format: float
    cut_by_length: float


def count_turns(trials: Iterable[Path]) -> Turns:
    """Read the trajectory of each trial folder, one at a time; a trial without one adds nothing."""
    count = invalid = cut = known = 0
    for turn in _turns(trials):
        is_cut = turn.finish_reason == LENGTH
        count += 1
        known += turn.finish_reason is not None
        cut += is_cut
        invalid += not is_cut and bool(turn.parsed.error)
    return Turns(count, invalid / count if count else math.nan, cut / known if known else math.nan)


def _turns(trials: Iterable[Path]) -> Iterator[Turn]:
    for trial in trials:
        if not (trial / "agent" / "trajectory.json").is_file():
            continue
        try:
            found = read_trajectories(trial).trajectories
        except TrajectoryError:
            continue
        for trajectory in found:
            yield from (turn for turn in trajectory.turns if turn.is_raw and not turn.is_copied)
