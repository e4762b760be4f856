"""A fingerprint of the words that a harness puts around the task."""

import hashlib
import re

from terminal_lego.grounding.task_text import task_text
from terminal_lego.trajectory import Trajectory

DIGITS = 12
# The rows that announce the first screen; what follows differs from host to host.
_SCREEN = re.compile(
    r"^(?:# Terminal|(?:The )?[Cc]urrent [Tt]erminal (?:[Ss]tate|[Ss]creen)(?: is)?:|New Terminal Output:)$",
    re.MULTILINE,
)


def wording(trajectory: Trajectory) -> str | None:
    """Hexadecimal digits of the sha256 of the first prompt without task and screen; None when nothing is
    left of it, or nothing tells where the task begins."""
    text = task_text(trajectory)
    prompt = "\n" + trajectory.prompt.replace("\r\n", "\n").replace("\r", "\n")
    found = re.search(rf"(?<=\n)\s*{re.escape(text)}\s*(?=\n)", prompt) if text else None
    if found is None:
        return None
    before, after = prompt[: found.start()], prompt[found.end() :]
    screen = _SCREEN.search(after)
    around = before.rstrip() + "\n\n" + (after[: screen.end()] if screen else after).strip()
    return fingerprint(around) if before.strip() else None


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
