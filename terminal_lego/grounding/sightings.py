"""Which paths have been observed so far, and when: answers "what supports this action?" without a search."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from terminal_lego.grounding.event import Event

ALIGNMENTS = ("exact", "strict", "loose")


class Sighting(NamedTuple):
    index: int
    turn: int


@dataclass(slots=True)
class _Latest:
    """The latest sighting, and the latest one of a turn before that one's."""

    now: Sighting
    before: Sighting | None = None

    def add(self, sighting: Sighting) -> None:
        if sighting.turn > self.now.turn:
            self.before = self.now
        self.now = sighting

    def before_turn(self, turn: int) -> Sighting | None:
        return self.now if self.now.turn < turn else self.before


class Support(NamedTuple):
    """The latest observation typed before an action, and the latest one of an earlier reply."""

    typed: Sighting | None
    seen: Sighting | None


class Sightings:
    """Observations in the order they were typed; agrees with `paths.aligned` on every pair of paths."""

    def __init__(self) -> None:
        self._at: dict[str, _Latest] = {}
        self._below: dict[str, _Latest] = {}
        self._named: dict[str, _Latest] = {}

    def add(self, index: int, observation: Event) -> None:
        sighting = Sighting(index, observation.turn)
        for path in observation.paths:
            _note(self._at, path, sighting)
            for folder in ancestors(path):
                _note(self._below, folder, sighting)
            if name := path.rpartition("/")[2]:
                _note(self._named, name, sighting)

    def support(self, action: Event) -> tuple[Support, ...]:
        """For each of `ALIGNMENTS`, what aligns with any path of `action`; each includes the one before."""
        paths = action.paths
        folders = (folder for path in paths for folder in ancestors(path))
        names = (path.rpartition("/")[2] for path in paths)
        found = []
        typed = seen = None
        for group in (
            map(self._at.get, paths),
            map(self._at.get, folders),
            chain(map(self._below.get, paths), map(self._named.get, names)),
        ):
            for latest in filter(None, group):
                typed = _later(typed, latest.now)
                seen = _later(seen, latest.before_turn(action.turn))
            found.append(Support(typed, seen))
        return tuple(found)


@lru_cache(maxsize=4096)
def ancestors(path: str) -> tuple[str, ...]:
    """The folders above a normalised absolute path, nearest first, the root last."""
    folders = []
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        folders.append(path)
    return tuple(folders)


def _later(one: Sighting | None, other: Sighting | None) -> Sighting | None:
    return other if one is None or (other is not None and other.index > one.index) else one


def _note(table: dict[str, _Latest], key: str, sighting: Sighting) -> None:
    if latest := table.get(key):
        latest.add(sighting)
    else:
        table[key] = _Latest(sighting)
