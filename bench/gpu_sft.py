"""Trains a random student of Qwen3-8B's shape at 32k tokens on one GPU: `python -m bench.gpu_sft`.

Prints tokens per second, MFU and peak memory beside published figures. Nothing is downloaded, and nothing of
what was trained is kept.
"""

import argparse
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.measuring import alone
from bench.tables import table
from bench.workload import load_tokenizer
from terminal_lego.rendering.example import Example
from train.config import SftConfig, StudentConfig
from train.hardware import peak
from train.model_shape import ModelShape
from train.scale_config import ParallelConfig, TuningConfig
from train.sft import sft

PUBLISHED = Path(__file__).parent / "published_sft.md"
QWEN3_8B = ModelShape(
    hidden=4096,
    layers=36,
    heads=32,
    kv_heads=8,
    head_dim=128,
    intermediate=12288,
    vocabulary=151_936,
    tied=False,
    qk_norm=True,
)
METHODS = {
    "LoRA": (TuningConfig("lora"), ParallelConfig()),
    "full, offloaded": (TuningConfig(), ParallelConfig(engine="zero3", offload=True)),
}
WARM_UP = 3
REPLY = 64
"""Tokens of a made-up reply; two thirds of a conversation are only read, the share of real ones."""


@dataclass(frozen=True)
class Job:
    """A training to measure.

    Attributes:
        length: tokens of a pack, which is an optimiser step.
        conversations: of one length, in each pack.
        steps: that are clocked, after the warm-up.
    """

    method: str
    length: int
    conversations: int
    steps: int

    @property
    def lengths(self) -> list[int]:
        """Tokens of the conversations of one pack."""
        return [self.length // self.conversations] * self.conversations


@dataclass(frozen=True)
class Figures:
    """`mfu` is None where the hardware's peak is not known; `peak_gib` is 0 without a GPU."""

    per_second: float
    mfu: float | None
    peak_gib: float


class _EnoughError(Exception):
    """Ends a training before its last step: a checkpoint of 8 billion parameters takes up to 100 GB."""


def main(arguments: list[str] | None = None) -> int:
    import torch

    parser = argparse.ArgumentParser(prog="python -m bench.gpu_sft", description=__doc__)
    parser.add_argument("--steps", type=int, default=8, help="that are clocked")
    parser.add_argument(
        "--conversations", type=int, nargs="+", default=[1, 4], help="in a pack of 32,768 tokens"
    )
    parser.add_argument(
        "--folder", type=Path, help="for the random student, 16 GB; a temporary one without it"
    )
    chosen = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("There is no GPU here that PyTorch can use: run this where there is one.", file=sys.stderr)
        return 2
    jobs = [Job(method, 32_768, count, chosen.steps) for method in METHODS for count in chosen.conversations]
    with tempfile.TemporaryDirectory() as temporary:
        for line in report(jobs, QWEN3_8B, chosen.folder or Path(temporary)):
            print(line, flush=True)
    print(PUBLISHED.read_text(encoding="utf-8"), end="")
    return 0


def report(jobs: Sequence[Job], shape: ModelShape, folder: Path) -> Iterator[str]:
    import torch

    base = alone(make_base, shape, folder).result  # its memory on the GPU goes with the process
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    versions = ", ".join(f"{each} {version(each)}" for each in ("torch", "transformers", "trl"))
    yield f"{name}; {versions}; {shape.parameters / 1e9:,.2f} billion random parameters, bf16, recomputation."
    yield ""
    rows = [_row(job, alone(run, job, shape, base).result) for job in jobs]
    yield from table(
        ("", "context", "conversations in a pack", "tokens/s", "MFU, causal", "GPU memory"), rows
    )


def run(job: Job, shape: ModelShape, base: Path) -> Figures | str:
    """In a process of its own, whose memory is all for this job. A string says why it was not measured."""
    try:
        return measure(job, shape, base)
    except Exception as error:  # of one job: the others are measured still
        return f"not measured: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def measure(job: Job, shape: ModelShape, base: Path) -> Figures:
    import torch

    tuning, parallel = METHODS[job.method]
    last = WARM_UP + job.steps
    student = StudentConfig(
        str(base),
        max_length=job.length,
        model_limit=job.length,
        precision="bf16",
        gradient_checkpointing=True,
    )
    config = SftConfig(max_steps=last + 1, max_length=job.length, packing=True, save_steps=10**6)
    stamps: dict[int, float] = {}

    def on_log(step: int, metrics: dict[str, float]) -> None:
        stamps[step] = time.perf_counter()  # the loss was read, so the GPU is done with the step
        if step == last:
            raise _EnoughError

    given = conversations(job.lengths * last, shape.vocabulary)
    with tempfile.TemporaryDirectory() as folder, suppress(_EnoughError):
        sft(
            given,
            student,
            load_tokenizer(),
            config,
            Path(folder),
            tuning=tuning,
            parallel=parallel,
            on_log=on_log,
        )
    seconds = (stamps[last] - stamps[WARM_UP]) / job.steps
    on_gpu = torch.cuda.is_available()
    tflops = peak(torch.cuda.get_device_name()) if on_gpu else 0.0
    return Figures(
        sum(job.lengths) / seconds,
        shape.flops(job.lengths, tuning) / seconds / (tflops * 1e12) if tflops else None,
        torch.cuda.max_memory_allocated() / 2**30 if on_gpu else 0.0,
    )


def conversations(lengths: Sequence[int], vocabulary: int) -> list[Example]:
    """Random tokens; every third run of `REPLY` of them is trained."""
    import numpy as np

    rng = np.random.default_rng(0)
    made = []
    for number, length in enumerate(lengths):
        tokens = rng.integers(vocabulary, size=length, dtype=np.int32)
        weights = (np.arange(length) // REPLY % 3 == 2).astype(np.float32)
        made.append(
            Example(str(number), array("i", tokens.tobytes()), array("f", weights.tobytes()), spans=())
        )
    return made


def make_base(shape: ModelShape, folder: Path) -> Path:
    """A random student of that shape in bf16, made in `folder` once."""
    made = folder / f"{shape.layers}x{shape.hidden}"
    if (made / "config.json").exists():
        return made
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        tie_word_embeddings=shape.tied,
        max_position_embeddings=40_960,
        dtype=torch.bfloat16,
    )
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        random = Qwen3ForCausalLM(config).to(torch.bfloat16)
    random.save_pretrained(made)
    return made


def _row(job: Job, found: Figures | str) -> tuple[str, ...]:
    begin = (job.method, f"{job.length:,}", str(job.conversations))
    if isinstance(found, str):
        return (*begin, found, "", "")
    mfu = "peak not known" if found.mfu is None else f"{found.mfu:.1%}"
    return (*begin, f"{found.per_second:,.0f}", mfu, f"{found.peak_gib:.1f} GiB")


if __name__ == "__main__":
    raise SystemExit(main())
