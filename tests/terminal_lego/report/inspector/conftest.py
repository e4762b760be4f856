"""The inspector's page, open in a browser."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from terminal_lego.report.inspector import Entry, write_inspector


@pytest.fixture
def inspect(browser, tmp_path: Path) -> Iterator[Callable]:
    """Opens a page of entries; afterwards nothing may have been logged, thrown or asked for."""
    complaints, pages = [], []

    def inspect(entries: Iterable[Entry], open: int | None = None, *, script: str = "", **options):
        """`open` is the number of the trajectory to show, from 1; `script` runs before the page's own."""
        options = {"viewport": {"width": 1280, "height": 900}} | options
        page = browser.new_page(**options)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        address = write_inspector(entries, tmp_path / "inspector.html", title="Some teachers").as_uri()
        page.on("request", lambda request: request.url.startswith(address) or complaints.append(request.url))
        if script:
            page.add_init_script(script)
        page.goto(address + (f"#trajectory-{open}" if open else ""))
        if open:
            page.locator("#detail h2:not(.welcome h2), #detail .notice").first.wait_for()
        pages.append(page)
        return page

    yield inspect
    for page in pages:
        page.close()
    assert complaints == []
