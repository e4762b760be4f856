"""Shell text as tokens: words with quotes and expansions whole, operators, redirections; heredocs cut out."""

import re
from dataclasses import dataclass, field

from terminal_lego.grounding.shell.brackets import Heredoc, Pending, bodies, closing, pending

REDIRECTION, OPERATOR, WORD, TEST = range(1, 5)

_PIECE = (
    r"""[^ \t\r\n'"\\$`()<>|&;]+ | '[^']*' | "[^"\\$`]*" | \\(?!\r?\n). | \$(?![({'"]) | \$\{[^{}'"`$\\]*\}"""
)
_TOKEN = re.compile(
    rf"""(?:[ \t\r] | \\\r?\n | \#[^\n]*)*+ (?:
        ((?:[0-9]{{1,9}}(?=[<>]))?(?:<<<|<<-?|>>|>\||[<>]&|<>|[<>](?!\())|&>>?)
      | (&&|\|\||\|&?|;;&?|;&|[;&\n()])
      | ((?:{_PIECE})++)
      | (.)
    )?""",
    re.X | re.S,
)
_PIECES = re.compile(rf"(?:{_PIECE})*+", re.X | re.S)
_OPENING = re.compile(r"""\\\r?\n|\$'(?:[^'\\]|\\.)*+'?|'[^']*|\$?"|`|\$\(\(|\$[({]|[<>]\(|\(|\\""", re.S)
_BRACKETS = {token: token for token in ('"', "`", "$((", "$(", "${", "(")} | {
    '$"': '"',
    "<(": "$(",
    ">(": "$(",
}
_UNFINISHED = frozenset("'\"\\$`(<>")
_OTHER = 4
_ENDS_WORD = re.compile(r"[ \t\r\n<>|&;()]|\Z")
_ARRAY = re.compile(r"[A-Za-z_]\w*\+?=", re.A)
_WITHIN_TEST = re.compile(r"(?:[ \t\r<>|&()]|\\\r?\n|(?<=[&|])\n)*+")
_LEADS = frozenset({"if", "elif", "while", "until", "then", "else", "do", "!", "{", "time"})


Token = tuple[int, int, int, str]
"""(kind, start, end, spelling); a TEST is a whole `[[ ... ]]` or `(( ... ))`."""


@dataclass(slots=True)
class Tokens:
    """The tokens of a text and what was cut out of it.

    Attributes:
        heredocs: by the position of their operator; those inside words are left to whoever reads the words.
        nested: (its token's index, start, end) of each outermost command or process substitution.
    """

    tokens: list[Token] = field(default_factory=list)
    heredocs: dict[int, Heredoc] = field(default_factory=dict)
    nested: list[tuple[int, int, int]] = field(default_factory=list)


def tokenize(text: str, start: int, stop: int) -> Tokens:
    """Split text[start:stop]; what no shell would accept still becomes words and operators."""
    result = Tokens()
    tokens, match = result.tokens, _TOKEN.match
    waiting: list[Pending] = []
    closes = {"[[": True, "((": True}  # False once the end was looked for in vain: keeps the whole linear
    position = start
    while kind := (found := match(text, position, stop)).lastindex:
        begin, position = found.span(kind)
        after = 0
        if kind == OPERATOR:
            if found[kind] == "\n":
                closes["[["] = True
                if waiting:
                    read = bodies(text, position, stop, waiting)
                    result.heredocs.update((heredoc.at, heredoc) for heredoc in read)
                    waiting.clear()
                    position = read[-1].end
                    continue
            elif closes["(("] and text.startswith("((", begin, stop):
                after = closing(text, begin + 2, stop, "$((", [])
                closes["(("] = text.endswith("))", begin + 2, after)
                after *= closes["(("]
        elif kind == REDIRECTION:
            operator = found[kind].lstrip("0123456789")
            if operator in ("<<", "<<-"):
                announced = pending(text, position - len(operator), operator, stop)
                waiting += [announced] if announced else []
        else:
            if kind == _OTHER:
                position, kind = begin, WORD
            if position < stop and text[position] in _UNFINISHED:
                position = _word(text, begin, position, stop, result)
            if closes["[["] and text[begin:position] == "[[" and _leads(tokens):
                after = _test(text, position, stop, result)
                closes["[["] = after > 0
        if after:
            kind, position = TEST, after
        tokens.append((kind, begin, position, text[begin:position]))
    for at, _, strip, quoted in waiting:
        result.heredocs[at] = Heredoc(at, stop, stop, at, quoted, strip)
    return result


def _word(text: str, begin: int, position: int, stop: int, result: Tokens) -> int:
    """Where the word that begins at `begin` ends; what lies before `position` is plain."""
    spans: list[tuple[int, int]] = []
    while found := _OPENING.match(text, position, stop):
        token, after = found[0], found.end()
        if token == "(" and not _ARRAY.fullmatch(text, begin, position):
            break
        if token[0] == "\\" and after > position + 1 and _ENDS_WORD.match(text, after, stop):
            break
        if token in _BRACKETS:
            after = closing(text, after, stop, _BRACKETS[token], spans)
        position = _PIECES.match(text, after, stop).end()
    result.nested += [(len(result.tokens), *span) for span in spans]
    return position


def _leads(tokens: list[Token]) -> bool:
    """Whether a program's name may stand after these tokens."""
    return not tokens or tokens[-1][0] == OPERATOR or tokens[-1][3] in _LEADS


def _test(text: str, position: int, stop: int, result: Tokens) -> int:
    """Where the `[[` before `position` is closed; 0 if it is not closed before its line ends."""
    inner = Tokens(result.tokens)
    while True:
        begin = _WITHIN_TEST.match(text, position, stop).end()
        position = _PIECES.match(text, begin, stop).end()
        position = _word(text, begin, position, stop, inner)
        if position == begin:
            return 0
        if text[begin:position] == "]]":
            result.nested += inner.nested
            return position
