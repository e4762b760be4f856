"""Measures and prints the figures as Markdown: `python -m bench`."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import data_report, training_report
from bench.measuring import processor

PARTS = ("data", "training")
LIBRARIES = ("tokenizers", "transformers", "trl", "datasets", "pyarrow", "torch")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one part; without it, both")
    parser.add_argument(
        "--folder", type=Path, help="where all that is measured with is made, and found again"
    )
    parser.add_argument("--trajectories", type=int, default=15_000)
    parser.add_argument("--sample", type=int, default=500, help="trajectories that are rendered")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    folder = chosen.folder or Path(tempfile.gettempdir()) / "terminal-lego-bench" / str(chosen.trajectories)
    cores = len(os.sched_getaffinity(0))
    lines = []
    for line in _report(chosen, folder, cores):
        print(line, flush=True)
        lines.append(line)
    (folder / "results.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"\nWritten to {folder / 'results.md'}.", file=sys.stderr)


def _report(chosen: argparse.Namespace, folder: Path, cores: int) -> Iterator[str]:
    yield f"# {datetime.now(UTC):%Y-%m-%d}"
    yield ""
    yield (
        f"{processor()}, {cores} cores, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in LIBRARIES)}; "
        f"load at the start {os.getloadavg()[0]:.1f}; {chosen.rounds} rounds."
    )
    yield ""
    if chosen.only != "training":
        yield from data_report.report(folder, chosen.trajectories, chosen.sample, cores, chosen.rounds)
    if chosen.only != "data":
        yield from training_report.report(folder / "training", cores, chosen.rounds)


if __name__ == "__main__":
    main()
