"""The figures of reading, scoring, rendering and preparation, as Markdown."""

from collections.abc import Iterator
from pathlib import Path

from bench import corpus, reading, rendering, tokenizer
from bench.rendering import BARE, BARE_AT_ONCE, BOTH, MASKING, OURS, RENDERING, TRL
from bench.tables import table


def report(folder: Path, trajectories: int, sample: int, cores: int, count: int) -> Iterator[str]:
    made = corpus.make(folder, trajectories, cores)
    tokenizer.make(made)
    yield (
        f"{made.trajectories:,} trajectories, {made.json_bytes / 1e6:,.0f} MB of JSON, "
        f"{made.parquet.stat().st_size / 1e6:,.0f} MB of Parquet."
    )
    yield ""
    yield from table(
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
    yield from table(
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
    yield from table(
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
