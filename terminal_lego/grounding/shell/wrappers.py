"""Sees through programs that run what they are given: `sudo`, `timeout 5`, `bash -c '...'`, `eval`, ..."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from terminal_lego.grounding.shell.parse import parse
from terminal_lego.grounding.shell.words import Redirection, SimpleCommand, Word

SHELLS = frozenset({"bash", "sh", "dash", "ash", "zsh", "ksh"})
_DEPTH = 8  # commands within scripts within scripts
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.A | re.S)


@dataclass(frozen=True, slots=True)
class _Wrapper:
    """One table of wrappers.toml."""

    flags: str = ""
    long: tuple[str, ...] = ()
    operands: int = 0
    assignments: bool = False
    alone: str = ""


@cache
def _wrappers() -> dict[str, _Wrapper]:
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {
        name: _Wrapper(**{**table, "long": tuple(table.get("long", ()))}) for name, table in tables.items()
    }


def unwrap(command: SimpleCommand) -> tuple[SimpleCommand, ...]:
    """What really runs: the command itself, the one it wraps, or those of the script that it is given.

    Commands of a script have the depth below the shell that runs it (`eval` has none), the offsets of their
    spelling where the script is spelled without escapes, and otherwise those of the outer command. What
    redirects the shell's input goes to the first of them, other redirections to the last.
    """
    if not _may_wrap(command):
        return (command,)
    return tuple(_unwrapped(command, 0))


def _may_wrap(command: SimpleCommand) -> bool:
    name = command.name.rpartition("/")[2]
    return name in _wrappers() or name in SHELLS or name in ("eval", "su")


def _unwrapped(command: SimpleCommand, level: int) -> Iterator[SimpleCommand]:
    while inner := _wrapped(command):
        command = inner
    inside = _script(command) if level < _DEPTH else ()
    if not inside:
        yield command
    for inner in inside:
        yield from _unwrapped(inner, level + 1)


def _wrapped(command: SimpleCommand) -> SimpleCommand | None:
    """The command that a wrapper runs; None if it is no wrapper, or wraps nothing."""
    wrapper = _wrappers().get(command.name.rpartition("/")[2])
    if wrapper is None:
        return None
    words = command.words
    index = _after_options(words, wrapper.flags, wrapper.long, wrapper.alone)
    assignments = command.assignments
    while wrapper.assignments and index < len(words) and (found := _ASSIGNMENT.fullmatch(words[index].text)):
        assignments += ((found[1], found[2]),)
        index += 1
    rest = words[index + wrapper.operands :]
    return replace(command, words=rest, assignments=assignments) if rest else None


def _after_options(words: Sequence[Word], flags: str, long: Sequence[str], alone: str) -> int:
    """Index of the first word after the options; past the end if one of them stands alone."""
    index = 1
    while index < len(words) and (text := words[index].text).startswith("-"):
        index += 1
        if text == "--":
            break
        if text.startswith("--"):
            index += text[2:] in long
            continue
        for place, letter in enumerate(text[1:], 2):
            if letter in alone:
                return len(words)
            if letter in flags:
                index += place == len(text)
                break
    return index


def _script(command: SimpleCommand) -> tuple[SimpleCommand, ...]:
    """The commands of the script that a shell, `su -c` or `eval` is given; none if there is no script."""
    name = command.name.rpartition("/")[2]
    words = command.words
    if name == "eval":
        return _read(command, words[1:], command.depth)
    if name == "su":
        places = [index for index, word in enumerate(words) if word.text in ("-c", "--command")]
        return _read(command, words[places[0] + 1 :][:1], command.depth + 1) if places else ()
    if name not in SHELLS:
        return ()
    index = _after_options(words, "oO", ("rcfile", "init-file"), "")
    if any(_is_flag(word.text, "c") for word in words[1:index]):
        return _read(command, words[index : index + 1], command.depth + 1)
    from_input = index >= len(words) or any(_is_flag(word.text, "s") for word in words[1:index])
    if from_input and command.heredoc:
        kept = tuple(item for item in command.redirections if not item.operator.startswith("<<"))
        outer = replace(command, redirections=kept, heredoc=None)
        return _placed(outer, command.heredoc, None, command.depth + 1)
    return ()


def _is_flag(text: str, letter: str) -> bool:
    return text.startswith("-") and not text.startswith("--") and letter in text


def _read(command: SimpleCommand, script: Sequence[Word], depth: int) -> tuple[SimpleCommand, ...]:
    if not script:
        return ()
    return _placed(
        command, " ".join(word.text for word in script), script[0] if len(script) == 1 else None, depth
    )


def _placed(command: SimpleCommand, script: str, word: Word | None, depth: int) -> tuple[SimpleCommand, ...]:
    """The commands of `script`, with offsets of the text that `command` is from."""
    shift: int | None = None
    if word and word.end - word.start - len(word.text) in (0, 2):
        shift = word.start + (word.end - word.start - len(word.text)) // 2
    inner = [_moved(item, command, shift, depth) for item in parse(script)]
    if inner:
        inner[0] = replace(inner[0], operator=command.operator)
        for redirection in command.redirections:
            place = 0 if redirection.operator.startswith("<") else -1
            inner[place] = replace(inner[place], redirections=(*inner[place].redirections, redirection))
        if command.heredoc is not None and inner[0].heredoc is None:
            inner[0] = replace(inner[0], heredoc=command.heredoc)
    return tuple(inner)


def _moved(item: SimpleCommand, outer: SimpleCommand, shift: int | None, depth: int) -> SimpleCommand:
    def move(word: Word) -> Word:
        if shift is None:
            return replace(word, start=outer.start, end=outer.end)
        return replace(word, start=word.start + shift, end=word.end + shift)

    def redirect(redirection: Redirection) -> Redirection:
        return replace(redirection, target=redirection.target and move(redirection.target))

    return replace(
        item,
        words=tuple(map(move, item.words)),
        redirections=tuple(map(redirect, item.redirections)),
        start=outer.start if shift is None else item.start + shift,
        end=outer.end if shift is None else item.end + shift,
        line=outer.line,
        depth=depth + item.depth,
    )
