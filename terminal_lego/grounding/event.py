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
        redirects: whether a redirection of it writes a file.
        failed: whether the screen shows an error after the line it stands on; None when the line is
            not found there.
    """

    turn: int
    command: int
    start: int
    end: int
    line: int
    program: str
    kind: str
    edits: bool = False
    listed: bool = False
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    redirects: bool = False
    failed: bool | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        return self.reads + self.writes
