"""Makes the corpus, measures, and prints the figures as Markdown: `python -m bench`."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import corpus, reading, rendering, tokenizer
from bench.rendering import BARE, BARE_AT_ONCE, BOTH, MASKING, OURS, RENDERING, TRL

LIBRARIES = ("tokenizers", "transformers", "trl", "datasets", "pyarrow")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the corpus is made, and found again")
    parser.add_argument("--trajectories", type=int, default=15_000)
    parser.add_argument("--sample", type=int, default=500, help="trajectories that are rendered")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    default = Path(tempfile.gettempdir()) / "terminal-lego-bench" / str(chosen.trajectories)
    folder = chosen.folder or default
    lines = []
    for line in report(folder, chosen.trajectories, chosen.sample, chosen.rounds):
        print(line, flush=True)
        lines.append(line)
    (folder / "results.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"\nWritten to {folder / 'results.md'}.", file=sys.stderr)


def report(folder: Path, trajectories: int, sample: int, count: int) -> Iterator[str]:
    cores = len(os.sched_getaffinity(0))
    made = corpus.make(folder, trajectories, cores)
    tokenizer.make(made)
    yield f"# {datetime.now(UTC):%Y-%m-%d}"
    yield ""
    yield (
        f"{_processor()}, {cores} cores, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in LIBRARIES)}; "
        f"load at the start {os.getloadavg()[0]:.1f}; {count} rounds."
    )
    yield ""
    yield (
        f"{made.trajectories:,} trajectories, {made.json_bytes / 1e6:,.0f} MB of JSON, "
        f"{made.parquet.stat().st_size / 1e6:,.0f} MB of Parquet."
    )
    yield ""
    yield from _table(
        ("", "trajectories/s, median", "best", "peak memory, MiB"),
        (
            (each.what, f"{each.per_second:,.0f}", f"{each.best:,.0f}", f"{each.peak_bytes / 2**20:,.0f}")
            for each in reading.measure(made, cores, count)
        ),
    )
    for threads in range(cores, 0, -1) if cores <= 2 else (cores, 1):
        yield from _rendering(rendering.measure(made, threads, sample, count))
        yield from _preparation(threads, rendering.prepare(made, threads, sample, count))


def _rendering(found: rendering.Rendering) -> Iterator[str]:
    yield (
        f"{found.conversations:,} conversations, {found.tokens:,} tokens, {found.threads} core(s) and as "
        f"many threads; peak memory {found.peak_bytes / 2**20:,.0f} MiB."
    )
    yield ""
    yield from _table(
        ("", "seconds, least", "median", "ratio of the least", "median ratio"),
        (
            (
                what,
                f"{found.seconds[what].least:.2f}",
                f"{found.seconds[what].median:.2f}",
                f"{found.ratio(what):.2f}",
                f"{found.typical_ratio(what):.2f}",
            )
            for what in (BARE, BARE_AT_ONCE, MASKING, RENDERING, BOTH)
        ),
    )


def _preparation(threads: int, found: dict[str, rendering.Preparation]) -> Iterator[str]:
    yield f"Everything up to a table of ids and labels, {threads} core(s)."
    yield ""
    yield from _table(
        ("", "seconds, least", "median", "ratio of the least", "tokens", "trained", "peak memory, MiB"),
        (
            (
                name,
                f"{each.seconds.least:.2f}",
                f"{each.seconds.median:.2f}",
                f"{each.seconds.least / found[TRL].seconds.least:.2f}",
                f"{each.tokens:,}",
                f"{each.trained:,}",
                f"{each.peak_bytes / 2**20:,.0f}",
            )
            for name, each in ((name, found[name]) for name in (OURS, TRL))
        ),
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' + '---:|' * (len(head) - 1)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _processor() -> str:
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next(
        (line.split(": ", 1)[1] for line in facts if line.startswith("model name")), platform.machine()
    )


if __name__ == "__main__":
    main()
