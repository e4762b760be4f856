"""The page of a job's trials, written to disk as the trials are read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from terminal_lego.report.lazy_page import write_lazy_page
from terminal_lego.report.safe_text import script_json
from terminal_lego.report.trials.attempt import read_attempts
from terminal_lego.report.trials.content import cell_and_body
from terminal_lego.report.trials.figures import LABELS, counts, scores

PAGE = "terminal_lego.report.trials"
INSPECTOR = "terminal_lego.report.inspector"


class TrialsPage(NamedTuple):
    """`counts` are trials by outcome."""

    path: Path
    counts: list[tuple[str, int]]


def write_trials(job: str | Path, path: str | Path) -> TrialsPage:
    """Write the trials of a job, or of all jobs in a folder, as one HTML file, making its folder.

    Raises:
        TrajectoryError: there is no trial.
    """
    job = Path(job)
    attempts = read_attempts(job)
    cells: list[dict[str, Any]] = []

    def bodies() -> Iterator[dict[str, Any]]:
        for attempt in attempts:
            cell, body = cell_and_body(attempt)
            cells.append(cell)
            yield body

    figures, method = scores(job)
    found = counts(attempts)
    written = write_lazy_page(
        path,
        (PAGE, "trials.html.jinja"),
        styles=[(INSPECTOR, "inspector.css"), (PAGE, "trials.css")],
        scripts=[
            (INSPECTOR, "elements.js"),
            (PAGE, "grid.js"),
            (INSPECTOR, "turns.js"),
            (PAGE, "trial.js"),
            (PAGE, "keys.js"),
        ],
        bodies=bodies(),
        title=job.absolute().name,
        scores=figures,
        method=method,
        counts=found,
        labels=LABELS,
        labels_json=script_json(LABELS),
        index=lambda: script_json(cells),
    )
    return TrialsPage(written, found)
