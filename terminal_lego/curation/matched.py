"""Tasks that every teacher has a trajectory of, so that students differ by their teacher alone."""

from collections.abc import Iterable, Sequence

from terminal_lego.curation.draw import identity, lot
from terminal_lego.curation.steps import Split, Step, TaskKey, divide, grouped
from terminal_lego.errors import ConfigError
from terminal_lego.trajectory import Trajectory


def teachers_to_match(found: Iterable[str], wanted: Sequence[str] = ()) -> list[str]:
    """The teachers wanted, or all that were found, sorted.

    Raises:
        ConfigError: a wanted one was not found, or there are fewer than two.
    """
    present = sorted(set(found) - {""})
    named = f"the trajectories are of {', '.join(present) or 'nobody named'}"
    if missing := sorted(set(wanted) - set(present)):
        raise ConfigError(
            f"selection.teachers names {', '.join(missing)}, but {named}; use these, or read more files."
        )
    teachers = sorted(set(wanted)) or present
    if len(teachers) < 2:
        raise ConfigError(
            f"selection.matched=true compares two teachers or more, but {named}; read the others' files too, "
            "or set selection.matched=false."
        )
    return teachers


def matched(teachers: Sequence[str], seed: int, task_hash: TaskKey | None = None) -> Step:
    """Keep one trajectory per teacher of each task that all of them have one of.

    Tasks are told apart by their text, because sources use one id for different tasks.
    """
    if task_hash is None:
        from terminal_lego.grounding.task_text import task_hash

    def step(trajectories: Sequence[Trajectory]) -> Split:
        reasons = {
            index: f"teacher is {t.model or 'unknown'}"
            for index, t in enumerate(trajectories)
            if t.model not in teachers
        }
        lots = [lot(seed, "matched", *identity(t)) for t in trajectories]
        for members in grouped(trajectories, task_hash).values():
            candidates = {
                teacher: [i for i in members if trajectories[i].model == teacher] for teacher in teachers
            }
            missing = [teacher for teacher in teachers if not candidates[teacher]]
            for indices in candidates.values():
                if missing:
                    why = f"no trajectory of {', '.join(missing)} is left for this task"
                    reasons |= dict.fromkeys(indices, why)
                else:
                    others = sorted(indices, key=lots.__getitem__)[1:]
                    reasons |= dict.fromkeys(others, "another trajectory of this task was drawn")
        return divide(trajectories, reasons)

    return step
