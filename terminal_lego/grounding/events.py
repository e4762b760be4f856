"""From a trajectory to the simple commands that were typed in it, each with what it looks at and changes."""

from collections.abc import Sequence
from functools import partial

from terminal_lego.grounding.classes import classify
from terminal_lego.grounding.event import Event
from terminal_lego.grounding.interactive import Program, opened
from terminal_lego.grounding.screen import at_shell, directory, failure, outputs
from terminal_lego.grounding.shell.parse import parse
from terminal_lego.grounding.shell.typed import Typed, typed
from terminal_lego.grounding.shell.words import SimpleCommand
from terminal_lego.grounding.shell.wrappers import unwrap
from terminal_lego.trajectory import Command, Trajectory, Turn


def read_events(trajectory: Trajectory, *, failures: bool = True) -> tuple[Event, ...]:
    """Every simple command that reached a shell, in order; a reply that does not parse typed nothing.

    Args:
        failures: whether to look for errors on the screens; without it `Event.failed` is None.
    """
    reader = _Reader(failures)
    screen = trajectory.prompt
    for number, turn in enumerate(trajectory.turns):
        reader.look(screen)
        reader.read(number, turn)
        screen = turn.observation
    return tuple(reader.events)


class _Reader:
    """What is known of the shell while a trajectory is read."""

    def __init__(self, failures: bool) -> None:
        self.failures = failures
        self.events: list[Event] = []
        self._typed: list[partial[Event]] = []  # of the reply that is read: complete but for `failed`
        self.lines = 0
        self.inside: Program | None = None
        self.folders: dict[int, str | None] = {0: None}
        self.written: set[str] = set()

    def look(self, screen: str) -> None:
        """The screen knows better than what was concluded from keystrokes."""
        if shown := directory(screen):
            self.folders = {0: shown}
        if self.inside and at_shell(screen):
            self.inside = None

    def read(self, number: int, turn: Turn) -> None:
        lines: list[str] = []
        for piece in typed(turn.commands):
            start = self._leave(piece) if self.inside else 0
            if piece.kind == "input" and start < len(piece.text):
                lines += self._type(number, piece, start, turn.commands)
        if self._typed:
            self._judge(outputs(turn.observation, lines) if self.failures else [None] * len(lines))

    def _leave(self, piece: Typed) -> int:
        """Hands a piece to the program that has the keyboard; where in it the shell is back, or its end."""
        end = len(piece.text)
        if piece.kind == "key":
            left = piece.text in self.inside.keys
        elif left := self.inside.leaves.search(piece.text):
            end = left.end()
        if left:
            self.inside = None
        return end

    def _type(self, number: int, piece: Typed, start: int, typed_in: Sequence[Command]) -> list[str]:
        """Adds the events of one piece of input, from `start`, and returns its lines as they were typed."""
        text = piece.text[start:]
        commands = parse(text)
        for command in commands:
            for inner in unwrap(command):
                place = _place(piece, start, inner, typed_in)
                self._add(number, place, inner, self.lines + command.line)
        lines = _lines(text, commands)
        self.lines += len(lines)
        return lines

    def _add(self, number: int, place: tuple[int, int, int], command: SimpleCommand, line: int) -> None:
        cwd = self._folder(command.depth)
        known = classify(command, written=self.written, cwd=cwd)
        index, start, end = place
        event = partial(
            Event,
            turn=number,
            command=index,
            start=start,
            end=end,
            line=line,
            program=known.program,
            kind=known.kind,
            edits=known.edits,
            listed=known.listed,
            reads=known.reads,
            writes=known.writes,
            redirects=known.redirects,
        )
        self._typed.append(event)
        if known.edits:
            self.written.update(known.writes)
        if known.program in ("cd", "pushd", "popd") and command.operator not in ("|", "|&"):
            self.folders[command.depth] = known.changes_directory
        if not _fed(command):
            self.inside = opened(known.program, [word.text for word in command.arguments])

    def _folder(self, depth: int) -> str | None:
        """The working directory at this nesting; what a subshell changed is forgotten when it is left."""
        self.folders = {level: folder for level, folder in self.folders.items() if level <= depth}
        return self.folders[max(self.folders)]

    def _judge(self, shown: Sequence[str | None]) -> None:
        """Finishes the reply's events: has the screen an error after their line?"""
        start = self.lines - len(shown)
        failed = [None if output is None else failure(output) is not None for output in shown]
        self.events += [event(failed=failed[event.keywords["line"] - start]) for event in self._typed]
        self._typed.clear()


def _place(
    piece: Typed, start: int, command: SimpleCommand, typed_in: Sequence[Command]
) -> tuple[int, int, int]:
    """Index of the `Command` it begins in, and the characters of that one's keystrokes.

    Of what is typed in several commands, what stands in the first of them.
    """
    index, begin = piece.origin(start + command.start)
    last, end = piece.origin(start + max(command.start, command.end - 1))
    return index, begin, end + 1 if last == index else len(typed_in[index].keystrokes)


def _lines(text: str, commands: Sequence[SimpleCommand]) -> list[str]:
    """Each line of input as it was typed, by the `line` numbers of its commands."""
    starts: dict[int, int] = {}
    for command in commands:
        starts.setdefault(command.line, text.rfind("\n", 0, command.start) + 1)
    last = max(starts, default=-1)
    ends = [starts.get(number + 1, len(text)) for number in range(last + 1)]
    return [text[starts.get(number, end) : end].rstrip("\n") for number, end in enumerate(ends)]


def _fed(command: SimpleCommand) -> bool:
    """Whether its input comes from a pipe, a file or a heredoc instead of the keyboard."""
    piped = command.operator in ("|", "|&")
    return piped or any(redirection.operator.startswith("<") for redirection in command.redirections)
