"""Steps that judge each trajectory by itself."""

from collections.abc import Callable, Sequence

from terminal_lego.curation.steps import Split, Step, split
from terminal_lego.trajectory import Trajectory

Failures = Callable[[str], list[str]]


def raw_replies(trajectories: Sequence[Trajectory]) -> Split:
    """Keep conversations known word for word: what the model wrote, and what it was answering."""
    return split(trajectories, _unknown_words)


def outcome(wanted: str) -> Step:
    """Keep trajectories that passed (reward >= 1) or failed; one without a reward did neither."""

    def reason(trajectory: Trajectory) -> str | None:
        if trajectory.reward is None:
            return f"no reward ({trajectory.exception})" if trajectory.exception else "no reward"
        met = "passed" if trajectory.reward >= 1 else "failed"
        return None if met == wanted else met

    return lambda trajectories: split(trajectories, reason)


def complete(trajectories: Sequence[Trajectory]) -> Split:
    return split(trajectories, lambda t: None if t.declared_done else "never said that the task is complete")


def error_free(failures: Failures | None = None) -> Step:
    """Keep trajectories on whose screens no command reports an error.

    Args:
        failures: the kinds of error messages on one observation, in order.
    """
    if failures is None:
        from terminal_lego.grounding.screen import failures

    def reason(trajectory: Trajectory) -> str | None:
        kinds = (kind for turn in trajectory.turns for kind in failures(turn.observation))
        first = next(kinds, None)
        return None if first is None else f"error on the screen: {first}"

    return lambda trajectories: split(trajectories, reason)


def teacher(model: str) -> Step:
    return lambda trajectories: split(
        trajectories, lambda t: None if t.model == model else f"teacher is {t.model or 'unknown'}"
    )


def _unknown_words(trajectory: Trajectory) -> str | None:
    turns = trajectory.turns
    if not turns:
        return "no replies"
    if not all(turn.is_raw or turn.is_copied for turn in turns):
        return "a reply is only a reconstruction"
    if not all(turn.observation for turn in turns[:-1]):
        return "a prompt between two replies is missing"
    return None
