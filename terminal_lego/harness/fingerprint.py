"""Which wording a conversation was recorded in, told by what stands before the task in its first message."""

import hashlib
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from terminal_lego.harness.profile import PARSERS, PROFILES, Profile

if TYPE_CHECKING:
    from terminal_lego.trajectory import Trajectory

UNKNOWN = "unknown"
PINS: Mapping[str, Any] = tomllib.loads((PROFILES / "harbor.toml").read_text())


def identify(prompt: str) -> str:
    """The id of a first user message, such as "native-json" or "harbor-B-xml"; "unknown" for another."""
    for name, (length, digest) in _heads().items():
        if hashlib.sha256(prompt[:length].encode("utf-8", "replace")).hexdigest() == digest:
            return name
    return UNKNOWN


def fingerprint_of(trajectories: "Iterable[Trajectory]") -> Counter[str]:
    """How many conversations were recorded in which wording; compare with `identify(profile.head)`."""
    return Counter(identify(trajectory.prompt) for trajectory in trajectories)


@cache
def _heads() -> dict[str, tuple[int, str]]:
    """By id: the length of the head in characters, and its sha256."""
    heads = {}
    for parser in PARSERS:
        head = Profile.native(parser).head
        heads[f"native-{parser}"] = len(head), hashlib.sha256(head.encode()).hexdigest()
    return heads | {name: (pin["head_chars"], pin["head"]) for name, pin in PINS["wordings"].items()}
