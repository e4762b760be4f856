"""What the rest of the project knows of one simple command that an agent typed."""

from dataclasses import dataclass

OBSERVATION, ACTION, VERIFICATION, OTHER = KINDS = ("observation", "action", "verification", "other")


@dataclass(frozen=True, slots=True)
class Event:
    """One simple command, in the order in which commands were typed.

    Attributes:
        turn: index of the reply, from 0.
        command: index of the `Command` in that reply in which this one begins.
        start, end: characters of that command's keystrokes.
        line: counts the lines of shell input over the whole trajectory; `a && b | c` is one line.
        program: the name of what runs, wrappers such as sudo seen through.
        kind: one of `KINDS`.
        edits: whether it changes named files (the action set "edits").
        listed: whether it belongs to the action set "list".
        reads, writes: absolute, normalised paths that it looks at, that it changes or runs.
        failed: whether the screen shows that it failed; None when that cannot be read.
    """

    turn: int
    command: int
    start: int
    end: int
    line: int
    program: str
    kind: str
    edits: bool
    listed: bool
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    failed: bool | None = None
