import re
from pathlib import Path

from terminal_lego import harness
from terminal_lego.harness.quirks import QUIRKS

CODE = "\n".join(file.read_text() for file in Path(harness.__file__).parent.rglob("*.py"))


def test_the_table_names_what_the_code_asks_for():
    asked = re.findall(r'_has\("([\w-]+)"\)|"([\w-]+)" (?:not )?in [\w.]*quirks', CODE)
    assert {one or other for one, other in asked} == set(QUIRKS)
