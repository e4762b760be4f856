"""The page of a job's trials, open in a browser."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from terminal_lego.report.trials import write_trials
from tests.terminal_lego.report.trials.made import write_job


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return write_job(tmp_path / "job-one")


@pytest.fixture
def view(browser, tmp_path: Path) -> Iterator[Callable]:
    """Opens a job's page; afterwards nothing may have been logged, thrown or asked for."""
    complaints, pages = [], []

    def view(job: Path, open: str = "", **options):
        """`open` is the accessible name of the square to open, or a part of it."""
        page = browser.new_page(**({"viewport": {"width": 1280, "height": 900}} | options))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        address = write_trials(job, tmp_path / "trials.html").path.as_uri()
        page.on("request", lambda request: request.url.startswith(address) or complaints.append(request.url))
        page.goto(address)
        if open:
            page.locator(f'#list button[aria-label*="{open}"]').click()
            page.locator("#detail .bar").wait_for()
        pages.append(page)
        return page

    yield view
    for page in pages:
        page.close()
    assert complaints == []
