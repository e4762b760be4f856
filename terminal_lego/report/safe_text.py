"""Text of unknown origin, made fit to be looked at and to stand in a page."""

import json
import re
from typing import Any

from markupsafe import Markup

# C0 and C1 controls except tab and newline, line separators, and the marks that reorder text.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """Control and reordering characters as something one can see; tabs and newlines stay."""
    return _INVISIBLE.sub(_picture, text.replace("\r\n", "\n"))


def script_json(value: Any) -> Markup:
    """JSON that may stand in a script element: pure ASCII, and no character that HTML reads."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.translate({ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&'"}))


def visible_everywhere(value: Any) -> Any:
    """The same for every string in a JSON value; keys are ours and stay."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {key: visible_everywhere(item) for key, item in value.items()}
    return [visible_everywhere(item) for item in value] if isinstance(value, list) else value


def _picture(match: re.Match[str]) -> str:
    """Caret notation as terminals print it (^[ for escape), a code point where there is none."""
    code = ord(match[0])
    return f"^{chr(code ^ 0x40)}" if code < 0x80 else f"<U+{code:04X}>"
