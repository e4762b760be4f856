"""A selection is a list of steps, applied one after the other."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from terminal_lego.curation import steps
from terminal_lego.curation.config import SelectionConfig
from terminal_lego.curation.funnel import FunnelRow
from terminal_lego.curation.steps import Dropped, Step
from terminal_lego.trajectory import Trajectory


@dataclass(frozen=True)
class Selection:
    """Every trajectory given is in `kept` or in `dropped`, each in the order it was given or dropped."""

    kept: list[Trajectory]
    dropped: list[Dropped]
    funnel: list[FunnelRow]


def select(trajectories: Sequence[Trajectory], config: SelectionConfig) -> Selection:
    kept = list(trajectories)
    dropped: list[Dropped] = []
    funnel: list[FunnelRow] = []
    for name, step in plan(config).items():
        kept, gone = step(kept)
        dropped += gone
        funnel.append(FunnelRow(name, len(kept), Counter(drop.reason for drop in gone)))
    return Selection(kept, dropped, funnel)


def plan(config: SelectionConfig) -> dict[str, Step]:
    """The steps a config asks for, by the name shown in the funnel."""
    planned: dict[str, Step] = {"raw replies": steps.raw_replies}
    if config.teacher is not None:
        planned["teacher"] = steps.teacher(config.teacher)
    if config.outcome != "all":
        planned[f"outcome: {config.outcome}"] = steps.outcome(config.outcome)
    if config.complete:
        planned["complete"] = steps.complete
    if config.limit is not None:
        planned[f"limit: {config.limit}"] = steps.limit(config.limit, config.seed)
    return planned
