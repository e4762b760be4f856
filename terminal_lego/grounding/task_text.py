"""Which task a trajectory is about: the instruction inside its first prompt.

Names are not enough: two data sets use one name for different tasks, and one task is told in the words of
different harnesses, on hosts of different names.
"""

import hashlib
import re
import unicodedata
from typing import NamedTuple

from terminal_lego.trajectory import Trajectory


class _Wording(NamedTuple):
    """What stands before and after the instruction, each at the beginning of a row."""

    opening: str
    closing: str


_WORDINGS = (
    _Wording("\n# Task\n", "\n# Terminal\n"),  # this project
    _Wording("\nTask Description:\n", "\nCurrent terminal state:\n"),  # Terminus-2, JSON and XML
    _Wording("\nInstruction:\n", "\nYour response must be a JSON object"),  # Terminus-1
)
_SCREEN = re.compile(r"\n(?:Current Terminal Screen|New Terminal Output):\n")
_LAST_ROW = re.compile(r"\n[^\n]*[#$]\s*\Z")


def task_text(trajectory: Trajectory) -> str:
    """The instruction, without the harness's words around it and without the first screen.

    From the first opening to the last closing, for an instruction may hold such words itself. Of several
    wordings that fit, the one that opens first was the harness's. In an unknown wording: the whole
    prompt up to its last screen, or without a last row that looks like a prompt of a shell.
    """
    prompt = "\n" + trajectory.prompt.replace("\r\n", "\n").replace("\r", "\n")
    found = []
    for wording in _WORDINGS:
        start, end = prompt.find(wording.opening), prompt.rfind(wording.closing)
        begin = start + len(wording.opening) - 1  # the opening's newline may be the closing's
        if start >= 0 and begin <= end:
            found.append((start, prompt[begin:end]))
    if found:
        return min(found)[1].strip()
    screens = list(_SCREEN.finditer(prompt))
    return (prompt[: screens[-1].start()] if screens else _LAST_ROW.sub("", prompt)).strip()


def task_hash(trajectory: Trajectory) -> str:
    """sha256 of `task_text` as hexadecimal digits; case counts, white space at the ends of rows does not."""
    text = unicodedata.normalize("NFC", task_text(trajectory))
    rows = "\n".join(row.rstrip() for row in text.split("\n")).strip()
    return hashlib.sha256(rows.encode("utf-8", "surrogatepass")).hexdigest()
