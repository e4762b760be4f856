"""Tokens per second of a training: ours beside TRL's and LLaMA-Factory's, each in a fresh process."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import llama_factory, trl_training
from bench.clock import Took, now
from bench.measuring import alone, on_cores
from bench.workload import (
    Trained,
    Work,
    clocked_tokens,
    examples,
    held_out_loss,
    load_tokenizer,
    make_base,
    settings,
    student,
    trajectories,
)
from train.sft import sft

OURS, TRL, LLAMA_FACTORY = "ours", "TRL", "LLaMA-Factory"


@dataclass(frozen=True)
class Side:
    """All rounds of one side; `reason` says why there are none."""

    name: str
    packed: bool
    rounds: tuple[Trained, ...]
    peak_bytes: int
    reason: str = ""

    @property
    def per_second(self) -> float:
        return statistics.median(each.per_second for each in self.rounds)

    @property
    def best(self) -> float:
        return max(each.per_second for each in self.rounds)

    @property
    def per_cpu_second(self) -> float:
        return statistics.median(each.per_cpu_second for each in self.rounds)


def measure(work: Work, folder: Path, threads: int, count: int, peers: tuple[str, ...]) -> list[Side]:
    """Each side in turn, `count` times, padded and packed.

    Args:
        folder: where random students and LLaMA-Factory's environment are kept.
        peers: of TRL and LLAMA_FACTORY those that take part.
    """
    base = make_base(work, folder)
    trains: dict[str, Callable[[Work, Path, bool], Trained | str]] = {OURS: train}
    if TRL in peers:
        trains[TRL] = trl_training.train
    if LLAMA_FACTORY in peers:
        python = llama_factory.environment(folder / "llamafactory")
        trains[LLAMA_FACTORY] = partial(llama_factory.train, python=python)
        if isinstance(python, str):
            trains[LLAMA_FACTORY] = partial(_refused, python)
    sides = [(name, packed) for packed in (False, True) for name in trains]
    found: dict[tuple[str, bool], list[Trained]] = {side: [] for side in sides}
    peaks, reasons = dict.fromkeys(sides, 0), dict.fromkeys(sides, "")
    for _ in range(count):
        for name, packed in (side for side in sides if not reasons[side]):
            measured = alone(on_cores, threads, trains[name], work, base, packed, **environment(threads))
            side = name, packed
            if isinstance(measured.result, str):
                reasons[side] = measured.result
            else:
                found[side].append(measured.result)
                peaks[side] = max(peaks[side], measured.peak_bytes)
    return [Side(*side, tuple(found[side]), peaks[side], reasons[side]) for side in sides]


def train(work: Work, base: Path, packed: bool) -> Trained:
    """Ours."""
    config = settings(work, packed)
    given = examples(trajectories(work)[0])
    lengths = [len(example.input_ids) for example in given]
    logged: list[tuple[Took, float]] = []  # when, and the loss since the time before

    def on_log(step: int, metrics: dict[str, float]) -> None:
        if "train/loss" in metrics:
            logged.append((now(), metrics["train/loss"]))

    with TemporaryDirectory() as name:
        folder = Path(name) / "student"
        sft(given, student(base), load_tokenizer(), config, folder, on_log=on_log)
        return Trained(
            clocked_tokens(lengths, work, config),
            logged[-1][0] - logged[0][0],
            sum(lengths),
            logged[0][1],
            held_out_loss(folder, work),
        )


def environment(threads: int) -> dict[str, str]:
    return {
        "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "true",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
    }


def _refused(reason: str, *_: object) -> str:
    return reason
