"""The value of a spelled word: quote removal, as far as it is known without running anything."""

import re

from terminal_lego.grounding.shell.brackets import closing
from terminal_lego.grounding.shell.words import Word

_SPECIAL = re.compile(r"""['"\\$`*?\[{<>]""")
_BRACKET = r"(?P<bracket>\$\(\(|\$[({]|`)"
_VARIABLE = r"(?P<variable>\$(?:[A-Za-z_]\w*|[0-9@*#?$!-]))"
_OUTSIDE = re.compile(
    rf"""\\\r?\n | \\(?P<escaped>.) | \$'(?P<ansi>(?:[^'\\]|\\.)*+)'? | '(?P<raw>[^']*)'? | \$?(?P<string>")
      | {_BRACKET} | (?P<process>[<>]\() | {_VARIABLE} | (?P<glob>[*?\[]) | (?P<brace>\{{)""",
    re.X | re.S | re.A,
)
_STRING = re.compile(
    rf"""\\\r?\n | \\(?P<escaped>[$`"\\]) | (?P<end>") | {_BRACKET} | {_VARIABLE}""", re.X | re.S | re.A
)
_BRACES = re.compile(r"\{[^{}]*?(?:,|\.\.)")
_QUOTED = re.compile(r"""'[^']*'|"[^"\\$`]*\"""")
_ANSI = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)|(.))", re.S
)
_LETTERS = dict(zip("abeEfnrtv\\'\"?", "\a\b\x1b\x1b\f\n\r\t\v\\'\"?", strict=True))


def word(text: str, start: int, end: int) -> Word:
    """The word spelled text[start:end]."""
    spelled = text[start:end]
    found = _SPECIAL.search(spelled)
    if found is None:
        return Word(spelled, start, end)
    if _QUOTED.fullmatch(spelled):
        return Word(spelled[1:-1], start, end)
    parts: list[str] = []
    literal, glob = True, False
    braces, brackets = spelled.rfind("}"), spelled.rfind("]")
    position, stop, inside = 0, len(spelled), _OUTSIDE
    while found := inside.search(spelled, position):
        parts.append(spelled[position : found.start()])
        position = found.end()
        match found.lastgroup:
            case "escaped" | "raw":
                parts.append(found[found.lastgroup])
            case "ansi":
                parts.append(ansi(found["ansi"]))
            case "string":
                inside = _STRING
            case "end":
                inside = _OUTSIDE
            case "glob":
                glob = glob or found[0] != "[" or position < brackets
                parts.append(found[0])
            case "brace":
                literal = literal and not (position <= braces and _BRACES.match(spelled, found.start()))
                parts.append("{")
            case "bracket" | "process" | "variable":
                literal = False
                if found.lastgroup != "variable":
                    opened = "$(" if found.lastgroup == "process" else found[0]
                    position = closing(spelled, position, stop, opened, [])
                parts.append(spelled[found.start() : position])
    parts.append(spelled[position:])
    return Word("".join(parts), start, end, literal, glob)


def ansi(body: str) -> str:
    """What stands between the quotes of `$'...'`, decoded."""

    def decode(found: re.Match[str]) -> str:
        code = found[1] or found[2] or found[3]
        if code or found[4]:
            number = int(code, 16) if code else int(found[4], 8) & 0xFF
            return chr(number) if number <= 0x10FFFF else found[0]
        if found[5]:
            return chr(ord(found[5]) & 0x1F)
        return _LETTERS.get(found[6], found[0])

    return _ANSI.sub(decode, body) if "\\" in body else body
