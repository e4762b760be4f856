"""Limits of length. A trajectory stays whole or goes whole: a cut one never says that it is done."""

from collections.abc import Callable, Sequence

from terminal_lego.curation.draw import identity
from terminal_lego.curation.steps import Split, Step, TaskKey, divide, grouped
from terminal_lego.errors import UntrainableError
from terminal_lego.trajectory import Trajectory

CountTokens = Callable[[Trajectory], int]


def max_tokens(limit: int, tokens: CountTokens) -> Step:
    """Drop what is longer than `limit` tokens, and what `tokens` finds untrainable."""
    return lambda trajectories: divide(trajectories, _unfit(trajectories, limit, tokens))


def max_tokens_matched(limit: int, tokens: CountTokens, task_hash: TaskKey | None = None) -> Step:
    """Drop a task for all teachers when the trajectory of one of them does not fit.

    Dropped one by one, the teacher that writes most would lose its hard tasks and keep its easy ones.
    """
    if task_hash is None:
        from terminal_lego.grounding.task_text import task_hash

    def step(trajectories: Sequence[Trajectory]) -> Split:
        unfit = _unfit(trajectories, limit, tokens)
        reasons: dict[int, str] = {}
        for members in grouped(trajectories, task_hash).values():
            teachers: dict[str, set[str]] = {}
            for index in members:
                if index in unfit:
                    teachers.setdefault(unfit[index], set()).add(trajectories[index].model)
            if teachers:
                why = "; ".join(
                    f"{reason} for {', '.join(sorted(teachers[reason]))}" for reason in sorted(teachers)
                )
                reasons |= dict.fromkeys(members, why)
        return divide(trajectories, reasons)

    return step


def per_task(which: str, task_hash: TaskKey | None = None) -> Step:
    """Keep each teacher's shortest or longest trajectory of a task: by turns, then characters, then id.

    Tasks with a single trajectory go, so that the shortest and the longest are of the same tasks.
    """
    if task_hash is None:
        from terminal_lego.grounding.task_text import task_hash
    choose = {"shortest": min, "longest": max}[which]

    def step(trajectories: Sequence[Trajectory]) -> Split:
        reasons: dict[int, str] = {}
        for members in grouped(trajectories, lambda t: (t.model, task_hash(t))).values():
            if len(members) == 1:
                reasons[members[0]] = "the only trajectory of its task"
                continue
            chosen = choose(members, key=lambda index: _length(trajectories[index]))
            reasons |= {index: f"not the {which} of its task" for index in members if index != chosen}
        return divide(trajectories, reasons)

    return step


def _length(trajectory: Trajectory) -> tuple[int, int, tuple[str, str, str]]:
    turns = trajectory.turns
    characters = sum(len(turn.reply) + len(turn.observation) for turn in turns)
    return len(turns), characters, identity(trajectory)


def _unfit(trajectories: Sequence[Trajectory], limit: int, tokens: CountTokens) -> dict[int, str]:
    reasons: dict[int, str] = {}
    for index, trajectory in enumerate(trajectories):
        try:
            if tokens(trajectory) > limit:
                reasons[index] = f"longer than {limit:,} tokens"
        except UntrainableError as error:
            reasons[index] = error.reason
    return reasons
