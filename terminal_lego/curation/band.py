"""Bands of grounding: trajectories of high, low or any TOR, as many of each and from the same population."""

import re
from collections.abc import Callable, Mapping, Sequence

from terminal_lego.curation.draw import identity, lot
from terminal_lego.curation.steps import Split, Step, TaskKey, divide, grouped
from terminal_lego.errors import ConfigError
from terminal_lego.trajectory import Trajectory

Tor = Callable[[Trajectory], float | None]
NAMES = ("high", "low", "random")
DEFAULT_SHARE = 3
NO_ACTION = "no action to ground"


def part(band: str) -> tuple[int, int] | None:
    """(k, n) of "k/n", None for a named band.

    Raises:
        ConfigError: neither a name nor a part of two or more.
    """
    if band in NAMES:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", band, re.ASCII)
    k, n = (int(found[1]), int(found[2])) if found else (0, 0)
    if n < 2 or not 1 <= k <= n:
        raise ConfigError(
            f"band={band!r} is none of {', '.join(NAMES)}, nor a part such as 1/4 (the lowest)."
        )
    return k, n


def within_all(band: str, size: int | None, seed: int, tor: Tor | None = None) -> Step:
    """Keep the band of all trajectories, ranked by TOR.

    Args:
        band: "high", "low", "random" (a sample of the same size) or "k/n", the k-th of n equal parts
            counted from the lowest TOR.
        size: trajectories of the band; by default a third of those ranked, or the whole part.
        seed: of the sample, and of the order among equals.
        tor: of one trajectory; None when it has no action.

    Raises:
        ConfigError: on use, when there are fewer than `size`.
    """
    if tor is None:
        from terminal_lego.grounding.tor import tor

    def step(trajectories: Sequence[Trajectory]) -> Split:
        values = _values(trajectories, tor)
        lots = _lots(trajectories, seed)
        ranked = sorted(values, key=lambda index: (values[index], lots["rank"][index]))
        rest = set(range(len(trajectories))) - values.keys()
        reasons = dict.fromkeys(rest, NO_ACTION)
        chosen = set(_choose(band, ranked, size, lots["sample"]))
        reasons |= {index: "outside the band" for index in ranked if index not in chosen}
        return divide(trajectories, reasons)

    return step


def within_task(
    band: str, size: int | None, seed: int, tor: Tor | None = None, task_hash: TaskKey | None = None
) -> Step:
    """Keep one trajectory per teacher and task: of its highest, lowest or any TOR, or of the k-th part.

    Only tasks that leave a choice stay: with two candidates or more (n for "k/n") whose TOR is known and not
    all equal. High, low and random are therefore of the same tasks.

    Args:
        size: tasks; the same ones are drawn for every band. All by default.

    Raises:
        ConfigError: on use, when there are fewer than `size` tasks.
    """
    if tor is None:
        from terminal_lego.grounding.tor import tor
    if task_hash is None:
        from terminal_lego.grounding.task_text import task_hash
    _, parts = part(band) or (1, 2)

    def step(trajectories: Sequence[Trajectory]) -> Split:
        values = _values(trajectories, tor)
        lots = _lots(trajectories, seed)
        reasons: dict[int, str] = {}
        chosen: dict[tuple[str, str], tuple[int, list[int]]] = {}
        for (task, model), members in grouped(trajectories, lambda t: (str(task_hash(t)), t.model)).items():
            reasons |= {index: NO_ACTION for index in members if index not in values}
            candidates = [index for index in members if index in values]
            ranked = sorted(candidates, key=lambda index: (values[index], lots["rank"][index]))
            if len(ranked) < parts:
                reasons |= dict.fromkeys(
                    ranked, f"fewer than {parts} trajectories of its task to choose from"
                )
            elif values[ranked[0]] == values[ranked[-1]]:
                reasons |= dict.fromkeys(ranked, "all trajectories of its task have the same TOR")
            else:
                (one,) = _choose(band, ranked, 1, lots["sample"])
                chosen[task, model] = one, ranked
        drawn = _drawn({task for task, _ in chosen}, size, seed)
        for (task, _), (one, ranked) in chosen.items():
            why = "another trajectory of its task is in the band" if task in drawn else "task not drawn"
            reasons |= {index: why for index in ranked if index != one or task not in drawn}
        return divide(trajectories, reasons)

    return step


def _values(trajectories: Sequence[Trajectory], tor: Tor) -> dict[int, float]:
    return {index: value for index, t in enumerate(trajectories) if (value := tor(t)) is not None}


def _lots(trajectories: Sequence[Trajectory], seed: int) -> Mapping[str, list[bytes]]:
    return {
        purpose: [lot(seed, f"band {purpose}", *identity(t)) for t in trajectories]
        for purpose in ("rank", "sample")
    }


def _choose(band: str, ranked: Sequence[int], size: int | None, lots: Sequence[bytes]) -> Sequence[int]:
    """Of indices from the lowest TOR to the highest, those of the band."""
    if k_of_n := part(band):
        k, n = k_of_n
        ranked = ranked[(k - 1) * len(ranked) // n : k * len(ranked) // n]
        size = len(ranked) if size is None else size
    elif size is None:
        size = -(-len(ranked) // DEFAULT_SHARE)
    _enough(size, len(ranked), "trajectories to choose from")
    if band == "low":
        return ranked[:size]
    if band == "high":
        return ranked[len(ranked) - size :]
    return sorted(ranked, key=lots.__getitem__)[:size]


def _drawn(tasks: set[str], size: int | None, seed: int) -> set[str]:
    if size is None:
        return tasks
    _enough(size, len(tasks), "tasks that leave a choice")
    return set(sorted(tasks, key=lambda task: lot(seed, "band task", task))[:size])


def _enough(size: int, available: int, what: str) -> None:
    if size > available:
        raise ConfigError(
            f"selection.band_size={size} is more than the {available} {what}; give less, or null."
        )
