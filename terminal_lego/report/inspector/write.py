"""The inspector's page, written to disk as the trajectories come."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from terminal_lego.report.inspector.content import body, row
from terminal_lego.report.inspector.entry import Entry
from terminal_lego.report.lazy_page import write_lazy_page
from terminal_lego.report.safe_text import script_json

PAGE = "terminal_lego.report.inspector"
SCRIPTS = ("elements.js", "list.js", "turns.js", "links.js", "view.js", "keys.js")


def write_inspector(entries: Iterable[Entry], path: str | Path, *, title: str) -> Path:
    """Writes one HTML file, making the folder, and returns its path.

    Entries are read one by one and never kept. The page appears when it is whole: a failure on the way
    leaves what was there before.

    Raises:
        RenderError: the tokens of a reply do not spell it.
    """
    rows: list[dict[str, Any]] = []

    def bodies() -> Iterator[dict[str, Any]]:
        for entry in entries:
            yield body(entry)
            rows.append(row(entry))

    return write_lazy_page(
        path,
        (PAGE, "inspector.html.jinja"),
        styles=[(PAGE, "inspector.css")],
        scripts=[(PAGE, name) for name in SCRIPTS],
        bodies=bodies(),
        title=title,
        index=lambda: script_json(rows),
    )
