"""`terminal-lego trials view JOB`: the trials of a job as one page."""

import argparse
from pathlib import Path


def add(rooms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = rooms.add_parser("trials", help="what a job's trials came to: view")
    actions = parser.add_subparsers(required=True, metavar="action")
    view = actions.add_parser(
        "view",
        help="one HTML page: tasks and attempts in a grid, and every conversation to read",
        description="Writes one self-contained HTML page of a job of this harness or of Harbor.",
    )
    view.add_argument("job", metavar="JOB", help="the job's folder, or a folder of jobs")
    view.add_argument("--out", type=Path, default=Path("trials.html"), help="the page (%(default)s)")
    view.set_defaults(run=_view)


def _view(chosen: argparse.Namespace) -> int:
    from terminal_lego.errors import ConfigError
    from terminal_lego.report.trials import write_trials
    from terminal_lego.report.trials.figures import LABELS

    try:
        page = write_trials(chosen.job, chosen.out)
    except OSError as error:
        raise ConfigError(f"--out {chosen.out} cannot be written: {error.strerror}.") from None
    told = ", ".join(f"{number:,} {LABELS[outcome]}" for outcome, number in page.counts)
    print(f"{told}: {page.path}")
    return 0
