"""A command line taken apart into flags, their values and operands, as its program's entry says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from terminal_lego.grounding.class_table import Entry
from terminal_lego.grounding.shell.words import Word


class Value(NamedTuple):
    """The value of a flag, or of a key such as dd's "of="; `literal` and `glob` as in `Word`."""

    flag: str
    text: str
    literal: bool
    glob: bool


@dataclass(slots=True)
class CommandLine:
    """What follows a program's name.

    Attributes:
        seen: its flags, those of a cluster one by one; "-X=POST" beside "-X" where a rule asks for it.
        values: what flags are given.
        operands: what is neither a flag nor a value; patterns and the like in front are left out.
        sure: operands from this index on stand behind "--".
        inner: the command that a flag such as find's -exec holds.
        sub: the entry and the words of a subcommand.
    """

    seen: set[str] = field(default_factory=set)
    values: list[Value] = field(default_factory=list)
    operands: list[Word] = field(default_factory=list)
    sure: int | None = None
    inner: Sequence[Word] = ()
    sub: tuple[Entry, Sequence[Word]] | None = None


def take_apart(entry: Entry, words: Sequence[Word]) -> CommandLine:
    line = CommandLine()
    operands = line.operands
    # The words behind a script or a delegated program are flags of theirs.
    stops = entry.group == "run" or entry.delegate
    skip, closed = entry.skip, False
    if entry.bundle and words and words[0].text[:1] != "-":
        words = (_unbundled(words[0], entry), *words[1:])
    place = 0
    while place < len(words):
        word = words[place]
        text = word.text
        place += 1
        if text == "--":
            line.seen.add(text)
            line.sure = len(operands)
            operands += words[place + (skip if line.seen.isdisjoint(entry.skip_unless) else 0) :]
            break
        if text[:1] == "-" and text != "-":
            closed = closed or (entry.leading and text not in ("-L", "-H", "-P"))
            place = _take_flag(entry, words, place - 1, line)
        elif entry.plus and text[:1] == "+":
            continue
        elif closed or (entry.leading and text in ("(", "!")):
            closed = True
        elif skip and line.seen.isdisjoint(entry.skip_unless):
            skip -= 1
        elif stops:
            operands += words[place - 1 :]
            break
        elif "=" in text and (name := text.partition("=")[0]).isidentifier():
            line.values.append(Value(name + "=", text[len(name) + 1 :], word.literal, word.glob))
        elif not operands and text in entry.sub:
            line.sub = entry.sub[text], words[place:]
            break
        else:
            operands.append(word)
    return line


def _take_flag(entry: Entry, words: Sequence[Word], place: int, line: CommandLine) -> int:
    """Adds the flag at `place` and what belongs to it; returns the place behind that."""
    word = words[place]
    flag, glued = _flag(word.text, entry, line.seen)
    line.seen.add(flag)
    place += 1
    if flag in entry.command_flags:
        end = next((at for at in range(place, len(words)) if words[at].text in (";", "+")), len(words))
        line.inner = words[place:end]
        return end + 1
    following = entry.arity.get(flag, 0)
    if glued is not None:
        value = Value(flag, glued, word.literal, False)
    elif following and place < len(words):
        given = words[place]
        value = Value(flag, given.text, given.literal, given.glob)
        place += following
    else:
        return place
    line.values.append(value)
    if flag in entry.keyed:
        line.seen.add(f"{flag}={value.text}")
    return place


def _flag(text: str, entry: Entry, seen: set[str]) -> tuple[str, str | None]:
    """The flag that a word ends in, and the value glued to it; the others of a cluster go to `seen`."""
    if text in entry.arity or text in entry.command_flags:
        return text, None
    if text[1] == "-" or not entry.clusters:
        flag, equals, value = text.partition("=")
        return flag, value if equals else None
    for at, letter in enumerate(text[1:], 1):
        flag = "-" + letter
        if flag in entry.arity:
            return flag, text[at + 1 :] or None
        seen.add(flag)
    return flag, None


def _unbundled(word: Word, entry: Entry) -> Word:
    """tar's `xzf` as `-xzf`, with the letter that takes the next word as its value at the end."""
    letters = sorted(word.text, key=lambda letter: "-" + letter in entry.arity)
    return Word("-" + "".join(letters), word.start, word.end)
