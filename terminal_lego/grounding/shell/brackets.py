"""Where quotes, expansions and heredocs end. Every function walks its text once, without recursion."""

import re
from typing import NamedTuple

# What matters inside each kind of bracket: COMMANDS of a substitution, "(" of an array, '"' a string,
# "{" of an expansion, "s" the same within a string, "a" a parenthesis of arithmetic.
COMMANDS, BACKTICK = "$", "`"
_SHELL = re.compile(
    r"""\\.|\$'(?:[^'\\]|\\.)*+'?|'[^']*'?|\$\(\(|\$[({]|["`()\n]|<<<|<<-?|(?<![^\s;&|(])\#[^\n]*""", re.S
)
_INSIDE = {
    COMMANDS: _SHELL,
    BACKTICK: _SHELL,
    "(": _SHELL,
    '"': re.compile(r"""\\.|\$\(\(|\$[({]|["`]""", re.S),
    "{": re.compile(r"""\\.|'[^']*'?|\$\(\(|\$[({]|["`}]""", re.S),
    "s": re.compile(r"""\\.|\$\(\(|\$[({]|["`}]""", re.S),
    "a": re.compile(r"""\\.|'[^']*'?|\$\(\(|\$[({]|["`()]""", re.S),
}
_CLOSE = {COMMANDS: ")", BACKTICK: "`", "(": ")", '"': '"', "{": "}", "s": "}", "a": ")"}
_OPEN = {"$(": COMMANDS, "(": "(", "`": BACKTICK, '"': '"', "${": "{", "$((": "aa"}
_DELIMITER = re.compile(r"""[ \t]*((?:[^\s'"\\|&;<>()]|\\.|'[^']*'|"[^"]*")+)""", re.S)
_UNQUOTE = re.compile(r"""['"\\]""")


class Heredoc(NamedTuple):
    """The heredoc whose operator is at `at`: its body is text[start:stop], its last line ends at `end`.

    `quoted`: nothing in it is expanded; `strip`: `<<-`, leading tabs do not count.
    """

    at: int
    start: int
    stop: int
    end: int
    quoted: bool
    strip: bool


class Pending(NamedTuple):
    """A heredoc whose body has not begun."""

    at: int
    delimiter: str
    strip: bool
    quoted: bool


def pending(text: str, at: int, operator: str, stop: int) -> Pending | None:
    """The heredoc that the operator at `at` announces; None without a delimiter after it."""
    word = _DELIMITER.match(text, at + len(operator), stop)
    if word is None:
        return None
    delimiter = _UNQUOTE.sub("", word[1])
    return Pending(at, delimiter, operator == "<<-", delimiter != word[1])


def bodies(text: str, position: int, stop: int, waiting: list[Pending]) -> list[Heredoc]:
    """Read the bodies that begin at `position`, the start of a line; one without end runs to `stop`."""
    found = []
    for at, delimiter, strip, quoted in waiting:
        last, end = _last_line(text, position, stop, delimiter, strip)
        found.append(Heredoc(at, position, last, end, quoted, strip))
        position = min(end + 1, stop)
    return found


def _last_line(text: str, start: int, stop: int, delimiter: str, strip: bool) -> tuple[int, int]:
    """Where the delimiter's line begins and where it ends (its newline not included)."""
    if strip:
        found = re.compile(rf"^\t*{re.escape(delimiter)}\r?$", re.M).search(text, start, stop)
        return found.span() if found else (stop, stop)
    position = start
    while True:
        if text.startswith(delimiter, position, stop):
            end = position + len(delimiter)
            if end < stop and text[end] == "\r":
                end += 1
            if end == stop or text[end] == "\n":
                return position, end
        position = text.find(f"\n{delimiter}", position, stop) + 1
        if position == 0:
            return stop, stop


def closing(text: str, position: int, stop: int, opened: str, spans: list[tuple[int, int]]) -> int:
    """Where what was opened just before `position` ends, its closing bracket included; `stop` without one.

    Args:
        opened: the opening token: '"', "`", "(", "$(", "${" or "$((".
        spans: receives the text of each outermost command substitution, `opened` itself counts.
    """
    stack = list(_OPEN[opened])
    waiting: list[Pending] = []
    begin, level = (position, 0) if stack[0] in (COMMANDS, BACKTICK) else (-1, 0)
    while stack:
        kind = stack[-1]
        found = _INSIDE[kind].search(text, position, stop)
        if found is None:
            if begin >= 0:
                spans.append((begin, stop))
            return stop
        token, position = found[0], found.end()
        if token == _CLOSE[kind]:
            stack.pop()
            if begin >= 0 and len(stack) == level:
                spans.append((begin, found.start()))
                begin = -1
        elif token in _OPEN:
            if begin < 0 and token in ("$(", "`"):
                begin, level = position, len(stack)
            if token == "${" and kind in ('"', "s"):
                stack.append("s")
            elif token == "(" and kind == "a":
                stack.append("a")
            else:
                stack += _OPEN[token]
        elif token == "\n" and waiting:
            position = bodies(text, position, stop, waiting)[-1].end
            waiting.clear()
        elif token in ("<<", "<<-") and (announced := pending(text, found.start(), token, stop)):
            waiting.append(announced)
    return position


def substitutions(text: str, start: int, stop: int) -> list[tuple[int, int]]:
    """The outermost command substitutions in the body of an unquoted heredoc."""
    spans: list[tuple[int, int]] = []
    position = start
    while found := _EXPANSION.search(text, position, stop):
        position = found.end()
        if found[0] in _OPEN:
            position = closing(text, position, stop, found[0], spans)
    return spans


_EXPANSION = re.compile(r"\\.|\$\(\(|\$[({]|`", re.S)
