"""What stands beside TOR in a teacher's way of working: verification, redundancy, retries, length, errors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from terminal_lego.grounding.event import OBSERVATION, VERIFICATION, Event
from terminal_lego.grounding.sightings import ancestors
from terminal_lego.grounding.tor import DEFAULT, actions, links
from terminal_lego.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Measures:
    """One trajectory's figures; a share is None when there is nothing to take a share of.

    Actions, alignment and window are those of the default variant of TOR.

    Attributes:
        act_verify: share of actions that a later reply looks at again: with an aligned observation, or
            with a verification that names none or an aligned path.
        inspect_act_verify: share of actions both supported before and verified after.
        redundant: share of observations that support no action.
        retried: share of failed commands whose program is run again in the same or the next reply.
        turns: replies.
        commands_per_turn: simple commands per reply.
        parse_errors: share of replies that do not parse.
        failures: commands after which the screen shows an error.
    """

    act_verify: float | None
    inspect_act_verify: float | None
    redundant: float | None
    retried: float | None
    turns: int
    commands_per_turn: float | None
    parse_errors: float | None
    failures: int


def measure(trajectory: Trajectory, events: Sequence[Event]) -> Measures:
    acting = actions(events, DEFAULT)
    support = links(events, DEFAULT)
    verified = _verified(events, acting)
    observations = [event for event in events if event.kind == OBSERVATION]
    useful = _useful(observations, [events[index] for index in acting])
    failed = [index for index, event in enumerate(events) if event.failed]
    turns = trajectory.turns
    return Measures(
        act_verify=_share(len(verified), len(acting)),
        inspect_act_verify=_share(sum(index in support for index in verified), len(acting)),
        redundant=_share(len(observations) - useful, len(observations)),
        retried=_share(sum(_again(events, index) for index in failed), len(failed)),
        turns=len(turns),
        commands_per_turn=_share(len(events), len(turns)),
        parse_errors=_share(sum(bool(turn.parsed.error) for turn in turns), len(turns)),
        failures=len(failed),
    )


def _verified(events: Sequence[Event], acting: Iterable[int]) -> list[int]:
    looks = [event for event in events if event.kind in (OBSERVATION, VERIFICATION)]
    looked = _latest_turn((path, event.turn) for event in looks for path in event.paths)
    checks = [event.turn for event in looks if event.kind == VERIFICATION and not event.paths]
    checked = max(checks, default=-1)
    return [
        index
        for index in acting
        if checked > events[index].turn or _later(looked, _and_above(events[index]), events[index].turn)
    ]


def _useful(observations: Iterable[Event], acting: Iterable[Event]) -> int:
    """Observations that support an action of a later reply."""
    acted = _latest_turn((path, event.turn) for event in acting for path in _and_above(event))
    return sum(_later(acted, event.paths, event.turn) for event in observations)


def _and_above(event: Event) -> list[str]:
    """What an aligned observation may have looked at (strict alignment)."""
    return [folder for path in event.paths for folder in (path, *ancestors(path))]


def _latest_turn(seen: Iterable[tuple[str, int]]) -> dict[str, int]:
    latest: dict[str, int] = {}
    for path, turn in seen:
        latest[path] = max(turn, latest.get(path, turn))
    return latest


def _later(latest: dict[str, int], paths: Iterable[str], turn: int) -> bool:
    return any(latest.get(path, -1) > turn for path in paths)


def _again(events: Sequence[Event], index: int) -> bool:
    """Whether the program of a failed command is run again before the reply after the next."""
    failed = events[index]
    later = (event for event in events[index + 1 :] if event.turn <= failed.turn + 1)
    return any(event.program == failed.program for event in later)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
