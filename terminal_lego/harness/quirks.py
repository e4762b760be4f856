"""The names of the reference's quirks; quirks.md says what each is."""

import re
from pathlib import Path

_TABLE = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")

QUIRKS: tuple[str, ...] = tuple(re.findall(r"^\| `([\w-]+)` \|", _TABLE, re.MULTILINE))
