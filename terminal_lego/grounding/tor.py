"""The Targeted Observation Ratio (TOR): which share of a trajectory's actions was looked into before.

Following "What Makes Interaction Trajectories Effective for Training Terminal Agents?" (Terminal-Lego,
arXiv 2606.03461), with A the actions and O the observations of one trajectory:

    TOR = |{a in A : there is an o in O before a with align(o, a)}| / |A|

The paper leaves open what counts as an action, when a path aligns, and how far back an observation may
lie, so TOR is a family here and every member is declared by its `Variant`. None of them is claimed to be
the published metric: on the published data the re-implementations known reproduce neither its levels
nor its full order.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby, product
from operator import attrgetter
from typing import NamedTuple

from terminal_lego.grounding.event import ACTION, OBSERVATION, Event
from terminal_lego.grounding.events import read_events
from terminal_lego.grounding.sightings import ALIGNMENTS, Sightings, Support
from terminal_lego.trajectory import Trajectory

ACTIONS = ("edits", "list", "all")
WINDOWS = ("same", "previous", "1", "2", "3")
_NARROWING = ("same", "previous", "3", "2", "1")
SPLITTINGS = ("command", "line")


class Variant(NamedTuple):
    """One member of the family.

    Attributes:
        actions: "edits" (commands that change named files), "list" (programs of a declared list, and
            redirections to a file) or "all" (whatever is neither an observation nor a bare `cd`).
        align: "exact" (the same path), "strict" (or a folder that holds it) or "loose" (or something in
            it, or the same file name).
        window: "same" (anything typed before, in the same reply too), "previous" (an earlier reply: the
            agent has seen its output) or the number of replies to look back.
        splitting: "command" (each simple command counts) or "line" (a line is what its first command is,
            with the paths of all of them).
    """

    actions: str = "list"
    align: str = "strict"
    window: str = "previous"
    splitting: str = "command"

    def __str__(self) -> str:
        return f"{self.actions}, {self.align}, {self.window}, {self.splitting}"


DEFAULT = Variant()
"""An observation in the same reply does not count: the agent types a whole reply before it sees a screen."""

VARIANTS = tuple(
    Variant(*settings[1:], settings[0]) for settings in product(SPLITTINGS, ACTIONS, ALIGNMENTS, WINDOWS)
)


class Count(NamedTuple):
    """`supported` of `actions` actions align with an earlier observation."""

    supported: int
    actions: int

    @property
    def ratio(self) -> float | None:
        """None without an action: such a trajectory has no TOR."""
        return self.supported / self.actions if self.actions else None


def tor(trajectory: Trajectory, variant: Variant = DEFAULT) -> float | None:
    return score(read_events(trajectory))[variant].ratio


def score(events: Sequence[Event]) -> dict[Variant, Count]:
    """Every variant at once."""
    counts: dict[Variant, Count] = {}
    for splitting in SPLITTINGS:
        totals = dict.fromkeys(ACTIONS, 0)
        supported = dict.fromkeys(product(ACTIONS, ALIGNMENTS, WINDOWS), 0)
        reached = _reached(by_line(events) if splitting == "line" else events)
        for (sets, reach), number in reached.items():
            for name in sets:
                totals[name] += number
                for align, narrowest in zip(ALIGNMENTS, reach, strict=True):
                    for window in _NARROWING[:narrowest]:
                        supported[name, align, window] += number
        for (actions, align, window), count in supported.items():
            counts[Variant(actions, align, window, splitting)] = _count(count, totals[actions])
    return {variant: counts[variant] for variant in VARIANTS}


def actions(events: Sequence[Event], variant: Variant = DEFAULT) -> list[int]:
    """Indices of the variant's actions among simple commands."""
    return [index for index, event in enumerate(events) if variant.actions in _sets(event)]


def links(events: Sequence[Event], variant: Variant = DEFAULT) -> dict[int, int]:
    """Index of each supported action -> index of the latest observation that supports it.

    Counted by simple command, whatever the variant's splitting.
    """
    found: dict[int, int] = {}
    sightings = Sightings()
    alignment = ALIGNMENTS.index(variant.align)
    for index, event in enumerate(events):
        if variant.actions in _sets(event):
            support = sightings.support(event)[alignment]
            sighting = support.typed if variant.window == "same" else support.seen
            if sighting and _in_window(event.turn - sighting.turn, variant.window):
                found[index] = sighting.index
        if event.kind == OBSERVATION:
            sightings.add(index, event)
    return found


def by_line(events: Iterable[Event]) -> Iterable[Event]:
    """One event per typed line: what its first command is, an action as soon as it writes by redirection."""
    for _, group in groupby(events, key=attrgetter("line")):
        line = tuple(group)
        yield line[0] if len(line) == 1 else _merged(line)


def _merged(line: Sequence[Event]) -> Event:
    writer = next((event for event in line[1:] if event.redirects), None)
    acts = {"program": writer.program, "kind": ACTION, "edits": True, "listed": True} if writer else {}
    return replace(
        line[0],
        reads=tuple(path for event in line for path in event.reads),
        writes=tuple(path for event in line for path in event.writes),
        **acts,
    )


def _sets(event: Event) -> tuple[str, ...]:
    if event.kind == OBSERVATION or event.program in ("", "cd"):
        return ()
    return ("all",) + ("list",) * event.listed + ("edits",) * event.edits


def _reached(items: Iterable[Event]) -> Counter[tuple[tuple[str, ...], tuple[int, ...]]]:
    """How many actions of equal sets are supported equally far: by alignment, in so many of `_NARROWING`."""
    reached: Counter[tuple[tuple[str, ...], tuple[int, ...]]] = Counter()
    sightings = Sightings()
    for index, item in enumerate(items):
        if sets := _sets(item):
            reached[sets, tuple(_reach(support, item.turn) for support in sightings.support(item))] += 1
        if item.kind == OBSERVATION:
            sightings.add(index, item)
    return reached


def _reach(support: Support, turn: int) -> int:
    if support.seen is None:
        return support.typed is not None
    return max(2, 6 - (turn - support.seen.turn))


def _in_window(distance: int, window: str) -> bool:
    return window in ("same", "previous") or distance <= int(window)


_count = lru_cache(maxsize=4096)(Count)
"""Most of a trajectory's variants count the same: as one object they travel between processes as one."""
