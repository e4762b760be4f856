"""The figures of training, as Markdown."""

from collections.abc import Iterator
from pathlib import Path

from bench import bare_loop, training
from bench.clock import Took
from bench.tables import table
from bench.training import LLAMA_FACTORY, OURS, TRL, Side
from bench.workload import SMALL, TINY, Work, make_base

WORKS = (TINY, SMALL)
PEERS = (TRL, LLAMA_FACTORY)
ROUNDS = {TINY.name: 3, SMALL.name: 2}
"""As many at most: a small student takes half a minute on each side."""


def report(folder: Path, cores: int, count: int) -> Iterator[str]:
    """Args:
    folder: where random students and LLaMA-Factory's environment are kept.
    """
    for work in WORKS:
        rounds = min(count, ROUNDS[work.name])
        sides = training.measure(work, folder, cores, rounds, PEERS)
        yield _students(work, make_base(work, folder), cores)
        yield ""
        yield from table(
            (
                "",
                "tokens/s, median",
                "best",
                "ours to it",
                "tokens per CPU second, median",
                "ours to it",
                f"loss, first {work.warm_up} steps",
                "held out, at the end",
                "tokens",
                "peak memory, MiB",
            ),
            (_row(side, sides) for side in sides),
        )
        overhead = bare_loop.measure(work, folder, cores, max(2, rounds))
        yield from table(
            (
                "packed, one process",
                "ms per step, each round",
                "to a bare loop",
                "CPU ms",
                "to a bare loop",
                f"loss, first {work.warm_up} steps",
            ),
            (
                (
                    name,
                    ", ".join(f"{1000 * each.seconds:,.1f}" for each in took),
                    f"{ratio.seconds:.3f}",
                    ", ".join(f"{1000 * each.cpu:,.1f}" for each in took),
                    f"{ratio.cpu:.3f}",
                    f"{loss:.4f}",
                )
                for name, took, ratio, loss in (
                    (OURS, overhead.ours, overhead.ratio, overhead.losses[0]),
                    ("bare loop", overhead.bare, Took(1, 1), overhead.losses[1]),
                )
            ),
        )


def _students(work: Work, base: Path, cores: int) -> str:
    from transformers import AutoConfig

    from train.model_shape import shape_of

    shape = shape_of(AutoConfig.from_pretrained(base))
    assert shape is not None
    return (
        f"{work.name}: {shape.parameters / 1e6:,.1f} million parameters, {shape.layers} layers, "
        f"{shape.hidden} wide, {shape.vocabulary} words; {work.conversations} conversations once; "
        f"{work.batch} in a padded step, up to {work.room} tokens in a packed one; "
        f"{cores} core(s) and as many threads."
    )


def _row(side: Side, sides: list[Side]) -> tuple[str, ...]:
    name = f"{side.name}, {'packed' if side.packed else 'padded'}"
    if not side.rounds:
        return (name, f"not measured: {side.reason}", *[""] * 8)
    ours = next(each for each in sides if each.name == OURS and each.packed == side.packed)
    first = side.rounds[0]
    return (
        name,
        f"{side.per_second:,.0f}",
        f"{side.best:,.0f}",
        f"{ours.per_second / side.per_second:.2f}",
        f"{side.per_cpu_second:,.0f}",
        f"{ours.per_cpu_second / side.per_cpu_second:.2f}",
        f"{first.loss:.4f}",
        f"{first.held_out:.4f}",
        f"{first.all_tokens:,}",
        f"{side.peak_bytes / 2**20:,.0f}",
    )
