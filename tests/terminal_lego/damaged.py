"""Replies with a few odd values in them and a few edits of the text, steered by bytes that can be shrunk."""

import json
import math
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
CLEAN = '{"analysis": "a", "plan": "p", "commands": [{"keystrokes": "ls\\n", "duration": 0.1}]}'
CLEAN_XML = (
    "<response>\n<analysis>a</analysis>\n<plan>p</plan>\n<commands>\n"
    '<keystrokes duration="0.1">ls\n</keystrokes>\n</commands>\n</response>'
)
_TEXTS = ["a", 'say "{"', "\n", "}", "é\u2028", "", "```json", "<plan>", "a\\b", "\U0001f600 &lt;"]
_KEYS = ["ls\n", "ls", "", 'echo "{a}"\n', "C-c", "a\\b\n", "cat <<E\n<x>\nE\n", "\\r\\n", "é&amp;\n", " \n"]
_JSON_PIECES = [
    *(
        "{",
        "}",
        "[",
        "]",
        '"',
        "\\",
        ",",
        ":",
        "\n",
        "NaN",
        "true",
        "é",
        "ERROR:",
        "{}",
        "```",
        "<think>x</think>",
    ),
    *(
        '"commands"',
        '"commands": [],',
        '"plan": "q",',
        '"keystrokes": ',
        '"task_complete": true,',
        '"duration": "2",',
    ),
    *(CLEAN, CLEAN[:-1], "```json\n" + CLEAN + "\n```"),
]
_XML_PIECES = [
    *(
        "<",
        ">",
        "/",
        "</",
        "/>",
        '"',
        "'",
        "=",
        "\n",
        "é",
        "<!-- x -->",
        "<?x?>",
        "<think>",
        "</think>",
        "< ",
        "< >",
    ),
    *(
        "<response>",
        "</response>",
        "<analysis>",
        "</analysis>",
        "<plan/>",
        "<plan></plan>",
        "<plan x='1'>",
        "<Plan>",
    ),
    *(
        "<commands>",
        "</commands>",
        "<commands />",
        "<task_complete>TRUE</task_complete>",
        "<task_complete/>",
        "<b c>",
    ),
    *(
        "<keystrokes>",
        "</keystrokes>",
        '<keystrokes duration="x">',
        " mode=1 ",
        "duration='2' ",
        "&quot;",
        "\\r\\n",
    ),
    *(CLEAN_XML, CLEAN_XML[:-11], f"```xml\n{CLEAN_XML}\n```", "<commands><keystrokes>"),
]


class Choices:
    """Decisions read off bytes; 0, and what comes after the last byte, is the first option."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def number(self, below: int) -> int:
        return next(self._data, 0) % below

    def pick(self, options: Sequence[T]) -> T:
        return options[self.number(len(options))]

    def often(self, usual: T, *others: T) -> T:
        """The usual one in three cases of four."""
        return usual if self.number(4) < 3 else self.pick(others)


def _json(choose: Choices) -> str:
    commands = [_command(choose) for _ in range(choose.number(4))]
    fields = [
        ("analysis", choose.often("a", *_TEXTS, 3)),
        ("plan", choose.often("p", *_TEXTS, None)),
        ("commands", choose.often(commands, commands, commands, commands, {}, "ls")),
        ("task_complete", choose.pick([False, True, "yes", "no", 1, None, [0], "TRUE"])),
        ("extra", {"analysis": [], "x": {"commands": 1}}),
    ][: choose.pick([3, 4, 4, 4, 5, 5, 5, 2])]
    if choose.number(6) == 5:
        fields.insert(choose.number(len(fields)), fields.pop())
    shape = {"indent": choose.pick([None, 2]), "ensure_ascii": choose.pick([False, True])}
    return _edited(json.dumps(dict(fields), **shape), _JSON_PIECES, choose)


def _command(choose: Choices) -> object:
    command: dict = {"keystrokes": choose.often(choose.pick(_KEYS), "ls\n", "", "q", 5)}
    if choose.number(5) < 4:
        command["duration"] = choose.pick([0.1, 1, "2", None, True, -1, math.nan, math.inf])
    if choose.number(8) == 7:
        command |= {"note": 1, "is_blocking": True}
    return choose.pick([command] * 15 + [choose.pick(["ls", None, {"duration": 1}])])


def _xml(choose: Choices) -> str:
    elements = "\n".join(_element(choose) for _ in range(choose.number(4)))
    parts = [
        f"<analysis>{choose.pick(_TEXTS)}</analysis>",
        f"<plan>{choose.pick(_TEXTS)}</plan>",
        choose.often(
            f"<commands>\n{elements}\n</commands>", "<commands></commands>", "<commands/>", elements
        ),
        choose.pick(
            ["", "<task_complete>true</task_complete>", "<task_complete> True\n</task_complete>", "<x/>"]
        ),
    ]
    if choose.number(6) == 5:
        parts.insert(choose.number(4), parts.pop(choose.number(4)))
    if choose.number(8) == 7:
        parts.append(choose.pick(parts))
    return _edited("<response>\n" + "\n".join(parts) + "\n</response>", _XML_PIECES, choose)


def _element(choose: Choices) -> str:
    durations = [
        'duration="0.1"',
        'duration="1"',
        "duration='2'",
        "duration=3",
        'duration="soon"',
        "",
        'duration="nan"',
    ]
    attributes = choose.pick(durations) + choose.often("", ' mode="raw"', " x=1 y='2'", "/")
    return f"<keystrokes {attributes}>{choose.pick(_KEYS)}</keystrokes>"


def _edited(text: str, pieces: list[str], choose: Choices) -> str:
    for _ in range(choose.pick([0, 0, 0, 1, 1, 1, 2, 4])):
        at = (choose.number(256) * 256 + choose.number(256)) % (len(text) + 1)
        match choose.number(8):
            case 0:
                text = text[:at] + choose.pick(pieces) + text[at:]
            case 1:
                text = choose.pick(pieces) + text
            case 2:
                text += choose.pick(pieces)
            case 3:
                text = text[:at] + text[at + 1 + choose.number(4) :]
            case 4:
                text = text[:at]
            case _:
                text = text[: len(text) - choose.number(5)]
    return text


_BYTES = st.binary(max_size=60)
json_replies = _BYTES.map(lambda data: _json(Choices(data)))
xml_replies = _BYTES.map(lambda data: _xml(Choices(data)))
