"""The terminal's side of a reply: its keystrokes as lines of input and as keys."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json import JSONDecoder
from json.decoder import scanstring

from terminal_lego.grounding.shell import keys
from terminal_lego.grounding.shell.lexer import Tokens, tokenize
from terminal_lego.grounding.shell.structure import complete
from terminal_lego.reply import Command

INPUT, KEY = "input", "key"

_Origin = tuple[int, int, int]  # where in the text, which command, where in its keystrokes
_ESCAPE = re.compile(r'\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u.{4}|\\.|"', re.S)
_SEPARATORS = re.compile(r"[\s:,]*")


@dataclass(frozen=True, slots=True)
class Typed:
    """A piece of what was typed.

    Attributes:
        kind: "input", a line that something reads from the terminal (for a shell: all the lines that one
            statement, quote or heredoc needs), or "key".
        text: the line, its newline included if it was typed; for a key its name ("C-c", "Escape", "Up").
        origins: (where in `text` it begins, index of the command, where in its keystrokes), ascending.
    """

    kind: str
    text: str
    origins: tuple[_Origin, ...]

    def origin(self, position: int) -> tuple[int, int]:
        """(index of the command, character of its keystrokes) of the character `text[position]`."""
        begin, command, start = self.origins[bisect_right(self.origins, (position, 1 << 60, 0)) - 1]
        return command, start + (position - begin if self.kind == INPUT else 0)


def typed(commands: Sequence[Command]) -> list[Typed]:
    """The keystrokes of one reply, in order. Keystrokes without a newline go on in the next command.

    Enter and Space count as the characters they type, a carriage return as a newline, and a control
    character within text as a key.
    """
    pieces: list[Typed] = []
    text, origins = "", []
    for index, command in enumerate(commands):
        for kind, part, start in _parts(command.keystrokes):
            if kind == INPUT:
                origins.append((len(text), index, start))
                text += part
                continue
            pieces += _lines(text, origins)
            pieces.append(Typed(KEY, part, ((0, index, start),)))
            text, origins = "", []
    return pieces + _lines(text, origins)


def _parts(keystrokes: str) -> Iterator[tuple[str, str, int]]:
    """(kind, text, where it begins) of the pieces of one command."""
    if name := keys.key(keystrokes):
        text = keys.types(name)
        yield (KEY, name, 0) if text is None else (INPUT, text, 0)
        return
    done = 0
    for found in keys.CONTROL.finditer(keystrokes):
        if found.start() > done:
            yield INPUT, keystrokes[done : found.start()].replace("\r", "\n"), done
        yield KEY, keys.control(found[0]), found.start()
        done = found.end()
    if done < len(keystrokes):
        yield INPUT, keystrokes[done:].replace("\r", "\n"), done


def _lines(text: str, origins: list[_Origin]) -> list[Typed]:
    """Split what was typed between two keys into lines."""
    ends = list(_ends(text, [begin for begin, _, _ in origins[1:]]))
    pieces = []
    for start, end in zip([0, *ends], ends, strict=False):
        first = bisect_right(origins, (start, 1 << 60, 0)) - 1
        last = bisect_right(origins, (end - 1, 1 << 60, 0))
        inside = tuple(
            (max(begin - start, 0), index, at + max(start - begin, 0))
            for begin, index, at in origins[first:last]
        )
        pieces.append(Typed(INPUT, text[start:end], inside))
    return pieces


def _ends(text: str, seams: Sequence[int]) -> Iterator[int]:
    """Where lines end. What is never closed ends with the command it was typed in, unless it is a heredoc.

    Args:
        seams: where in the text the commands after the first begin.
    """
    start = 0
    while start < len(text):
        if text.find("\n", start) in (-1, len(text) - 1):
            yield len(text)
            return
        lexed = tokenize(text, start, len(text))
        for index in complete(lexed.tokens):
            start = lexed.tokens[index][2]
            yield start
        if start < len(text):
            start = _cut(text, start, lexed, seams)
            yield start


def _cut(text: str, start: int, lexed: Tokens, seams: Sequence[int]) -> int:
    """Where the last, unfinished line ends."""
    if not any(heredoc.stop == heredoc.end for heredoc in lexed.heredocs.values()):
        for seam in seams[bisect_right(seams, start) :]:
            if text[seam - 1] == "\n":
                return seam
    return len(text)


def raw_span(reply_text: str, command: Command, start: int, end: int) -> tuple[int, int]:
    """Characters of the raw reply that spell `command.keystrokes[start:end]`, whatever their JSON escapes.

    Args:
        reply_text: the reply that `command` was parsed from.
        start, end: 0 <= start <= end <= len(command.keystrokes).
    """
    position = _value(reply_text, command.span[0])
    if position is None:
        return command.span
    count, begin = 0, None
    while True:
        found = _ESCAPE.search(reply_text, position)
        stop = found.start() if found else len(reply_text)
        last = found is None or found[0] == '"'
        if begin is None and (last or start <= count + stop - position):
            begin = min(position + start - count, stop)
        if begin is not None and (last or end <= count + stop - position):
            return begin, min(position + end - count, stop)
        count += stop - position + 1
        position = found.end()


def _value(reply_text: str, start: int) -> int | None:
    """Where the keystrokes' characters begin in the JSON object at `start`; of several fields the last."""
    decode = JSONDecoder().raw_decode
    value = None
    position = _skip(reply_text, start + 1)
    try:
        while reply_text.startswith('"', position):
            name, end = scanstring(reply_text, position + 1)
            begin = _skip(reply_text, end)
            _, end = decode(reply_text, begin)
            value = begin + 1 if name == "keystrokes" else value
            position = _skip(reply_text, end)
    except ValueError:
        pass
    return value


def _skip(text: str, position: int) -> int:
    return _SEPARATORS.match(text, position).end()
