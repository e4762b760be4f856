"""Shell text -> simple commands, whatever the text: unfinished, broken or no shell at all."""

from bisect import bisect_left
from collections.abc import Sequence

from terminal_lego.grounding.shell.brackets import substitutions
from terminal_lego.grounding.shell.build import command
from terminal_lego.grounding.shell.lexer import OPERATOR, REDIRECTION, Token, tokenize
from terminal_lego.grounding.shell.structure import CLOSERS, CONTINUES, Run, runs
from terminal_lego.grounding.shell.words import SimpleCommand

_NO_HEADER = CLOSERS | {"{", "do", "then", "else"}
_DEPTH = 8  # substitutions within substitutions: each level reads its text once more

_Place = tuple[int, int, int, int]  # start, stop, line, depth


def parse(text: str) -> tuple[SimpleCommand, ...]:
    """The simple commands of `text` in source order, those of compound commands and substitutions included.

    Never raises. Offsets are characters of `text`.
    """
    found, places = _read(text, 0, len(text), 0, 0)
    if places:
        for _ in range(_DEPTH):
            inner: list[_Place] = []
            for place in places:
                commands, nested = _read(text, *place, nested=True)
                found += commands
                inner += nested
            places = inner
        found.sort(key=lambda command: command.start)
    return tuple(found)


def _read(
    text: str, start: int, stop: int, line: int, depth: int, *, nested: bool = False
) -> tuple[list[SimpleCommand], list[_Place]]:
    """The commands of text[start:stop], and where the substitutions in them are."""
    lexed = tokenize(text, start, stop)
    found = runs(lexed.tokens)
    commands: list[SimpleCommand] = []
    places: list[_Place] = []
    end, operator = 0, ""
    for run in found:
        if commands:
            operator, newline = _joint(lexed.tokens, end, run.first)
            line += run.begins and newline and not nested
        read, heredoc = command(text, lexed, run, line, operator, depth + run.depth)
        commands.append(read)
        end = run.last
        if heredoc and not heredoc.quoted:
            spans = substitutions(text, heredoc.start, heredoc.stop)
            places += [(*span, line, read.depth + 1) for span in spans]
    if not commands:
        places += [(begin, last, line, depth + 1) for _, begin, last in lexed.nested]
    elif lexed.nested:
        for owner, (_, begin, last) in zip(_owners(found, lexed.nested), lexed.nested, strict=True):
            places.append((begin, last, commands[owner].line, commands[owner].depth + 1))
    return commands, places


def _joint(tokens: Sequence[Token], start: int, stop: int) -> tuple[str, bool]:
    """What joins the commands around these tokens, and whether a new line begins between them.

    What follows a word that belongs to no command (`for x in a;`, `case x in a|b)`) joins nothing.
    """
    operator, newline, header, target = "", False, False, False
    for kind, _, _, text in tokens[start:stop]:
        if kind != OPERATOR:
            if text in CLOSERS:
                operator, newline = "", False
            header = not target and kind != REDIRECTION and text not in _NO_HEADER
            target = kind == REDIRECTION
            continue
        if text == "\n":
            if not header and operator not in CONTINUES:
                newline = True
                operator = operator or text
        elif text != "(" and not header:
            operator = "" if text == ")" else ";" if text[0] == ";" else text
            newline = newline and text != ")"
        header = target = False
    return operator, newline


def _owners(found: Sequence[Run], nested: Sequence[tuple[int, int, int]]) -> list[int]:
    """Which run each substitution belongs to: what holds its token, or what the token is a header of."""
    ends = sorted((end, number) for number, run in enumerate(found) for _, end in ((0, run.last), *run.extra))
    return [ends[min(bisect_left(ends, (index + 1, 0)), len(ends) - 1)][1] for index, _, _ in nested]
