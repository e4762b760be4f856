"""A selection is a list of steps, applied one after the other."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from terminal_lego.curation import band, dedup, filters, length
from terminal_lego.curation.config import SelectionConfig
from terminal_lego.curation.decontamination import Decontamination, DecontaminationReport
from terminal_lego.curation.draw import limit, limit_matched
from terminal_lego.curation.funnel import FunnelRow
from terminal_lego.curation.losses import Loss, losses
from terminal_lego.curation.matched import matched, teachers_to_match
from terminal_lego.curation.steps import Dropped, Step
from terminal_lego.errors import ConfigError
from terminal_lego.trajectory import Trajectory


@dataclass(frozen=True)
class Selection:
    """Every trajectory given is in `kept` or in `dropped`, each in the order it was given or dropped.

    `losses` breaks the drops down by teacher and difficulty; `decontamination` is there when asked for.
    """

    kept: list[Trajectory]
    dropped: list[Dropped]
    funnel: list[FunnelRow]
    losses: list[Loss] = field(default_factory=list)
    decontamination: DecontaminationReport | None = None


def select(
    trajectories: Sequence[Trajectory], config: SelectionConfig, *, tokens: length.CountTokens | None = None
) -> Selection:
    """Apply the steps that `config` asks for. Which ones stay does not depend on the order given.

    Args:
        tokens: length of a trajectory in tokens, for `max_tokens`; may raise UntrainableError.

    Raises:
        ConfigError: `max_tokens` without `tokens`, nothing to match, a band larger than what there is.
        ContaminationError: a benchmark's task was found, and `drop_contaminated` is off.
        TaskError: the benchmark cannot be read.
    """
    kept = list(trajectories)
    dropped: list[Dropped] = []
    funnel: list[FunnelRow] = []
    lost: list[Loss] = []
    report: DecontaminationReport | None = None
    for name, step in plan(config, {trajectory.model for trajectory in kept}, tokens).items():
        given = kept
        kept, gone = step(given)
        dropped += gone
        funnel.append(FunnelRow(name, len(kept), Counter(drop.reason for drop in gone)))
        lost += losses(name, given, gone)
        report = step.report if isinstance(step, Decontamination) else report
    return Selection(kept, dropped, funnel, lost, report)


def plan(
    config: SelectionConfig, models: Iterable[str] = (), tokens: length.CountTokens | None = None
) -> dict[str, Step]:
    """The steps a config asks for, by the name shown in the funnel.

    Args:
        models: the teachers of all trajectories, before any step: one that loses all of them on the way
            still counts in matching.
    """
    planned: dict[str, Step] = {}
    only = {} if config.teacher is None else {"teacher": filters.teacher(config.teacher)}
    fitting = {} if config.max_tokens is None else _max_tokens(config.max_tokens, config.matched, tokens)
    if not config.matched:
        planned |= only
    planned["raw replies"] = filters.raw_replies
    if config.outcome != "all":
        planned[f"outcome: {config.outcome}"] = filters.outcome(config.outcome)
    if config.complete:
        planned["complete"] = filters.complete
    if config.error_free:
        planned["error-free"] = filters.error_free()
    if config.decontaminate is not None:
        planned["decontamination"] = Decontamination(config.decontaminate, config.drop_contaminated)
    if config.dedup is not None:
        step = dedup.exact() if config.dedup == "exact" else dedup.near(config.near_threshold)
        planned[f"duplicates: {config.dedup}"] = step
    if not config.matched:
        # Before the choice within a task: the longest would lose tasks to the limit that the shortest keep.
        planned |= fitting
    if config.per_task is not None:
        planned[f"per task: {config.per_task}"] = length.per_task(config.per_task)
    if config.matched:
        planned["matched tasks"] = matched(teachers_to_match(models, config.teachers), config.seed)
        # Both need all teachers; a band of one teacher, though, is not ranked among the others'.
        planned |= fitting | only
    if config.band is not None:
        within = band.within_all if config.band_within == "all" else band.within_task
        step = within(config.band, config.band_size, config.seed)
        planned[f"band: {config.band} TOR within {config.band_within}"] = step
    if config.limit is not None:
        draw = limit_matched if config.matched else limit
        planned[f"limit: {config.limit}"] = draw(config.limit, config.seed)
    return planned


def _max_tokens(most: int, matching: bool, tokens: length.CountTokens | None) -> dict[str, Step]:
    if tokens is None:
        raise ConfigError(
            f"selection.max_tokens={most} needs a way to count tokens; give select(..., tokens=<function>), "
            "or leave max_tokens out."
        )
    step = length.max_tokens_matched if matching else length.max_tokens
    return {f"tokens: {most:,}": step(most, tokens)}
