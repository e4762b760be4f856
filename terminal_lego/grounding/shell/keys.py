"""The keys of tmux: what keystrokes name one, and what control characters are called."""

import re

_NAMES = [
    "Up",
    "Down",
    "Left",
    "Right",
    "Home",
    "End",
    "PageUp",
    "PageDown",
    "PgUp",
    "PgDn",
    "PPage",
    "NPage",
]
_NAMES += ["Insert", "IC", "Delete", "DC", "Tab", "BTab", "BSpace", "Escape", "Enter", "KPEnter", "Space"]
_NAMES += [f"F{number}" for number in range(1, 13)]
_SPELLING = {name.lower(): name for name in _NAMES}
_KEY = re.compile(rf"((?:[cms]-)*)({'|'.join(_NAMES)})|((?:[cms]-)+)(.)|\^(\S)", re.I)
_TYPES = {"Enter": "\n", "KPEnter": "\n", "C-m": "\n", "C-j": "\n", "Space": " "}
_CONTROLS = {"\x00": "C-Space", "\x1b": "Escape", "\x7f": "BSpace"}

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Characters that a terminal takes for a key: all of ASCII's controls but tab, newline and return."""


def key(keystrokes: str) -> str | None:
    """The key that the keystrokes name, as tmux spells it ("C-c", "Escape"); None if they are text."""
    found = _KEY.fullmatch(keystrokes)
    if found is None:
        return None
    modifiers, name, others, character, control = found.groups()
    if name:
        return modifiers.upper() + _SPELLING[name.lower()]
    return f"C-{control.lower()}" if control else others.upper() + _lower(others, character)


def types(name: str) -> str | None:
    """The text that a key stands for: Enter and Space are typed like any other character."""
    return _TYPES.get(name)


def control(character: str) -> str:
    """The key of a control character."""
    return _CONTROLS.get(character) or f"C-{chr(ord(character) + 0x40).lower()}"


def _lower(modifiers: str, character: str) -> str:
    return character.lower() if "C" in modifiers.upper() else character
