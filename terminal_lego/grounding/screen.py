"""Reads the terminal text that came back after a reply: where the shell is, and what each command printed.

Known prompts: bash's `user@host:path#`, also with `(env) ` before it; `[user@host folder]$`; `bash-5.2#`;
`host:path#`, `path #` and the bare `#` of small systems. The last three look like ordinary output, so
they count only where typed text follows them or where the text ends. Other prompts (zsh, fish) are not known.
"""

import re
import string
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

COLUMNS = 160
"""Width of the terminal; a longer row goes on in the next one."""

_LABELS = _NEW, _WHOLE = "\nNew Terminal Output:\n", "\nCurrent Terminal Screen:\n"
_QUESTIONS = (
    "\n\nAre you sure you want to mark the task as complete?",
    "\n\nYou said that the task is complete.",
)
_LIMITED = re.compile(r"\n\[\.\.\. output limited to \d+ bytes; \d+ interior bytes omitted \.\.\.\]\n")
# A row as wide as the terminal goes on below, but a ruled line (=====) was meant to be that wide.
_FULL_ROW = re.compile(rf"\n(?=[^\n]{{{COLUMNS}}}\n)(?![^\n]{{{COLUMNS - 3}}}([-=_*#~+.])\1\1\n)")
# Apart, each begins with a literal, which makes them ten times as fast as one pattern.
_NAMED = re.compile(r"@[\w.-]+(?::([~/][^\n:#$]*)| [^\n\]@]*\])[#$](?![^ \n])")
_VERSION = re.compile(r"sh-\d+\.\d+[#$](?![^ \n])")
_BARE = re.compile(r"\n(?:(?:[\w.-]+:)?([~/][^\n:#$]*?) ?)?[#$](?![^ \n])")
_USER = string.ascii_letters + string.digits + "._+-"
_ENVIRONMENTS = re.compile(r"(?:\(+[^()\n]*\)+ )+\Z")
_LONGEST_NAME = 300


class _Prompt(NamedTuple):
    """Characters of `_Screen.text`; `path` is the shown directory; `sure` False for what may be output."""

    start: int
    end: int
    path: str | None
    sure: bool


class _Screen(NamedTuple):
    """What was shown of the terminal.

    `shown` is as it came, a newline first; `text` has wrapped rows joined and ends with its last visible
    character; `joints` are the places in `text` where a newline was taken out. Without a `label` it may be
    something else than a terminal.
    """

    label: str
    shown: str
    text: str
    joints: list[int]
    prompts: list[_Prompt]

    def original(self, position: int) -> int:
        """Where a position in `text` lies in `shown`."""
        return position + bisect_right(self.joints, position)


def directory(observation: str, home: str = "/root") -> str | None:
    """The working directory in the last shell prompt; None when that prompt names none, or there is none."""
    screen = _screen(observation)
    for prompt in reversed(screen.prompts):
        if prompt.sure or prompt.end == len(screen.text):
            return _absolute(prompt.path, home)
    return None


def at_shell(observation: str) -> bool | None:
    """Whether the text ends with a shell's prompt and nothing after it, so that a command can be typed.

    False for anything else on the last row: a running program, an editor, a password question, the `>`
    of unfinished input. None when no terminal can be made out: blank or feedback alone.
    """
    screen = _screen(observation)
    if screen.prompts and screen.prompts[-1].end == len(screen.text):
        return True
    return False if screen.label and screen.text else None


def outputs(observation: str, lines: Sequence[str]) -> list[str | None]:
    """What the terminal showed after each typed line, up to the next prompt.

    Args:
        lines: what was typed at a shell, in order; a line with newlines inside is one input that the
            shell asked continuation of (heredocs, loops).

    Returns:
        One entry per line: the rows as shown, without the last newline; None where the typed text is not
        found after a prompt (cut out, scrolled away, typed into a program, rewritten by completion).
        Text typed ahead while a program ran stays in that program's output.
    """
    screen = _screen(observation)
    echoes = _echoes(screen, [line.rstrip() for line in lines])
    taken = {number for number, _ in echoes.values()}
    last = len(screen.text)
    bounds = [p.start for n, p in enumerate(screen.prompts) if p.sure or n in taken or p.end == last]
    found: list[str | None] = [None] * len(lines)
    for index, (_, end) in echoes.items():
        after = bisect_right(bounds, end - 1)
        stop = bounds[after] if after < len(bounds) else last
        output = screen.shown[screen.original(end) + 1 : screen.original(stop)].rstrip("\n")
        if index + 1 < len(lines) and index + 1 not in echoes:
            output = _LIMITED.split(output, 1)[0]  # what follows the cut may be the next line's
        found[index] = output
    return found


def failure(output: str) -> str | None:
    """Name of the first sign of failure in failures.toml that the text of an output shows."""
    return next(_signs("\n" + output), None)


def failures(observation: str) -> list[str]:
    """Names of all signs of failure on the screen, in order, whatever was typed; feedback does not count."""
    screen = _screen(observation)
    return list(_signs(screen.shown)) if screen.label or screen.prompts else []


@lru_cache(maxsize=8)
def _screen(observation: str) -> _Screen:
    shown = "\n" + observation
    _, label = min(((at, label) for label in _LABELS if (at := shown.find(label)) >= 0), default=(0, ""))
    if label:
        shown = "\n" + shown.partition(label)[2]
        for question in _QUESTIONS:
            shown = shown.rpartition(question)[0] or shown
    text, joints = _joined(shown)
    text = text.rstrip()
    return _Screen(label, shown, text, joints, sorted(_prompts(text), key=lambda prompt: prompt.start))


def _joined(shown: str) -> tuple[str, list[int]]:
    """The text with wrapped rows made one, and where in it they were joined."""
    edges = [match.start() + COLUMNS + 1 for match in _FULL_ROW.finditer(shown)]
    starts, ends = [0, *(edge + 1 for edge in edges)], [*edges, len(shown)]
    text = "".join(shown[start:end] for start, end in zip(starts, ends, strict=True))
    return text, [edge - number for number, edge in enumerate(edges)]


def _prompts(text: str) -> Iterator[_Prompt]:
    for match in _NAMED.finditer(text):
        if (start := _begin(text, match.start(), in_brackets=match[1] is None)) is not None:
            yield _Prompt(start, match.end(), match[1], True)
    for match in _VERSION.finditer(text):
        start = match.start() - 2 * text.startswith("ba", max(0, match.start() - 2))
        yield _Prompt(start, match.end(), None, True)
    for match in _BARE.finditer(text):
        yield _Prompt(match.start() + 1, match.end(), match[1], False)


def _begin(text: str, at: int, *, in_brackets: bool) -> int | None:
    """Where the prompt around the `@` begins; output without a final newline may stand before it."""
    earliest = max(0, at - _LONGEST_NAME)
    row = text.rfind("\n", earliest, at) + 1 or earliest
    before = text[row:at]
    stem = before.rstrip(_USER)
    if stem == before or stem.startswith("> ") or (in_brackets and not stem.endswith("[")):
        return None
    stem = stem[:-1] if in_brackets else stem
    environments = _ENVIRONMENTS.search(stem) if stem.endswith(") ") else None
    return row + (environments.start() if environments else len(stem))


def _absolute(path: str | None, home: str) -> str | None:
    if path is None or path.startswith("/"):
        return path
    if path == "~" or path.startswith("~/"):
        return home + path[1:]
    return None


def _echoes(screen: _Screen, typed: Sequence[str]) -> dict[int, tuple[int, int]]:
    """Index of a typed line -> (number of its prompt, end of its echo).

    The same text may have been typed twice and be shown once. Lines are matched from the first on and from
    the last on, and the direction that finds more wins. In a draw, new output begins with the first line;
    a whole screen may still show older turns, so there the last place counts.
    """
    backwards = screen.label == _WHOLE
    echoes = _aligned(screen, typed, backwards)
    if len(echoes) < len(typed):
        other = _aligned(screen, typed, not backwards)
        echoes = other if len(other) > len(echoes) else echoes
    return echoes


def _aligned(screen: _Screen, typed: Sequence[str], backwards: bool) -> dict[int, tuple[int, int]]:
    step = -1 if backwards else 1
    order = range(len(screen.prompts))[::step]
    echoes: dict[int, tuple[int, int]] = {}
    passed = 0
    for index in range(len(typed))[::step]:
        for place in range(passed, len(order)):
            end = _echo(screen, order[place], typed[index])
            if end is not None:
                echoes[index] = order[place], end
                passed = place + 1
                break
    return echoes


def _echo(screen: _Screen, number: int, typed: str) -> int | None:
    """End of the echo of `typed` at a prompt; None when something else stands there."""
    text, prompt = screen.text, screen.prompts[number]
    if not typed:
        return prompt.end if prompt.sure and text.startswith("\n", prompt.end) else None
    first, *rest = typed.split("\n")
    if not text.startswith(" " + first[:1], prompt.end):
        return None
    end = _end_of(text, prompt.end + 1, first.rstrip())
    for row in rest if end is not None else ():
        asked = "\n> " if row.strip() else "\n>"
        following = _end_of(text, end + len(asked), row.rstrip()) if text.startswith(asked, end) else None
        if following is None:
            later = (p.start for p in screen.prompts[number + 1 :] if p.sure and p.start > end)
            return _last_asked(text, end, next(later, len(text)))
        end = following
    return end


def _last_asked(text: str, end: int, stop: int) -> int:
    """End of the last row with a `>` before `stop`, for input that was cut out or rewritten by completion."""
    row = text.rfind("\n>", end, stop)
    if row < 0:
        return end
    after = text.find("\n", row + 1)
    return len(text) if after < 0 else after


def _end_of(text: str, position: int, typed: str) -> int | None:
    """End of one typed line that begins at `position` and fills its row, or rows.

    Spaces at the right edge are not on the screen, so such rows were not joined and are followed here.
    """
    done = 0
    while True:
        left = len(typed) - done
        end = text.find("\n", position, position + left + 1)
        if end < 0:
            return position + left if position + left == len(text) and text.endswith(typed[done:]) else None
        if not typed.startswith(text[position:end], done):
            return None
        done += end - position
        if done == len(typed):
            return end
        blanks = _indent(typed[done:])
        row = text[text.rfind("\n", max(0, end - len(typed) - _LONGEST_NAME), end) + 1 : end]
        # The screen counts cells, and what is not ASCII may fill two: there any row may be a full one.
        if row.isascii() and len(row) % COLUMNS + blanks < COLUMNS:
            return None
        done += blanks
        position = end + 1 + _indent(text[end + 1 : end + 1 + blanks])


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _signs(text: str) -> Iterator[str]:
    """Names of the patterns that match, in the order of the text, which begins with a newline."""
    text, _ = _joined(text)
    every, named = _patterns()
    for hit in every.finditer(text):
        yield next(name for name, pattern in named if pattern.match(text, hit.start()))


@cache
def _patterns() -> tuple[re.Pattern[str], list[tuple[str, re.Pattern[str]]]]:
    """All patterns of failures.toml as one, which is fast, and one by one with their names."""
    table = tomllib.loads(Path(__file__).with_name("failures.toml").read_text(encoding="utf-8"))["failure"]
    named = [(entry["name"], _compiled([entry])) for entry in table]
    return _compiled(table), named


def _compiled(entries: Sequence[dict[str, list[str]]]) -> re.Pattern[str]:
    rows = [row for entry in entries for row in entry.get("row", ())]
    if messages := "|".join(message for entry in entries for message in entry.get("message", ())):
        rows.append(rf"[^\s:]+: (?:[^\n]*: )?(?:\[Errno \d+\] |\(\d+\) )?(?:{messages})")
    return re.compile(rf"\n(?:{'|'.join(rows)})", re.MULTILINE)
