"""From trajectories to tokens and loss weights: beside the bare tokenizer, and beside what TRL does."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import trl_preparation
from bench.corpus import Corpus
from bench.measuring import Measured, Seconds, alone, on_cores, rounds
from bench.tokenizer import load, spread
from terminal_lego.rendering.cache import TokenCache
from terminal_lego.rendering.example import Example
from terminal_lego.rendering.masks import MaskConfig, mask
from terminal_lego.rendering.render import render_all, render_trajectory
from terminal_lego.rendering.template import cut
from terminal_lego.trajectory import Trajectory

MASK = MaskConfig(hide=["observation"], unit="span")
BARE, BARE_AT_ONCE, MASKING, RENDERING, BOTH = (
    "bare tokenizer, a conversation at a time",
    "bare tokenizer, 32 conversations at a time",
    "mask()",
    "rendering one by one, masks given",
    "mask() and rendering",
)
OURS, TRL = "ours", "TRL"
_AT_ONCE = 32  # conversations


@dataclass(frozen=True)
class Rendering:
    """One number of threads: the seconds of each work over the same conversations, round by round."""

    threads: int
    conversations: int
    tokens: int
    seconds: dict[str, Seconds]
    peak_bytes: int

    def ratio(self, what: str, peer: str = BARE) -> float:
        """Least seconds of `what` per least seconds of `peer`."""
        return self.seconds[what].least / self.seconds[peer].least

    def typical_ratio(self, what: str, peer: str = BARE) -> float:
        """The median over rounds of the ratio within a round."""
        pairs = zip(self.seconds[what].rounds, self.seconds[peer].rounds, strict=True)
        return statistics.median(one / other for one, other in pairs)


@dataclass(frozen=True)
class Preparation:
    """Everything up to a table of ids and labels, in a fresh process each round."""

    seconds: Seconds
    tokens: int
    trained: int
    peak_bytes: int


def measure(corpus: Corpus, threads: int, sample: int, count: int) -> Rendering:
    measured = alone(on_cores, threads, _compare, corpus, sample, count, **_environment(threads))
    tokens, seconds = measured.result
    return Rendering(threads, sample, tokens, seconds, measured.peak_bytes)


def prepare(corpus: Corpus, threads: int, sample: int, count: int) -> dict[str, Preparation]:
    """Ours (one process, so many threads) and TRL's (so many processes) in turn."""
    works: dict[str, Callable[..., tuple[float, int, int]]] = {OURS: _prepare, TRL: trl_preparation.prepare}
    found: dict[str, list[Measured[tuple[float, int, int]]]] = {name: [] for name in works}
    for _ in range(count):
        for name, work in works.items():
            found[name].append(
                alone(on_cores, threads, work, corpus, threads, sample, **_environment(threads))
            )
    return {
        name: Preparation(
            Seconds(tuple(each.result[0] for each in measured)),
            *measured[0].result[1:],
            max(each.peak_bytes for each in measured),
        )
        for name, measured in found.items()
    }


def _environment(threads: int) -> dict[str, str]:
    return {
        "RAYON_NUM_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "true",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }


def _compare(corpus: Corpus, sample: int, count: int) -> tuple[int, dict[str, Seconds]]:
    tokenizer = load(corpus)
    core = tokenizer.backend_tokenizer
    given = spread(corpus, sample)
    masked = [mask(trajectory, MASK) for trajectory in given]
    texts = [[piece.text for piece in cut(trajectory.messages(), tokenizer)] for trajectory in given]
    batches = [list(chain.from_iterable(texts[at : at + _AT_ONCE])) for at in range(0, len(texts), _AT_ONCE)]

    def bare(batches: Sequence[list[str]]) -> int:
        return sum(len(core.encode_batch(batch, add_special_tokens=False)) for batch in batches)

    works = {
        BARE: lambda: bare(texts),
        BARE_AT_ONCE: lambda: bare(batches),
        MASKING: lambda: [mask(trajectory, MASK) for trajectory in _unread(given)],
        RENDERING: lambda: sum(
            len(render_trajectory(each.trajectory, tokenizer, each.turns).input_ids) for each in masked
        ),
        BOTH: lambda: sum(len(example.input_ids) for example in _examples(given, tokenizer)),
    }
    tokens = sum(len(encoding) for batch in texts for encoding in core.encode_batch(batch))
    return tokens, rounds(works, count)


def _prepare(corpus: Corpus, threads: int, sample: int) -> tuple[float, int, int]:
    """Seconds, tokens and trained tokens of what training does before its first step."""
    tokenizer = load(corpus)
    given = spread(corpus, sample)
    with TemporaryDirectory() as folder:
        begun = time.perf_counter()
        examples = TokenCache(Path(folder)).write("bench", _examples(given, tokenizer))
        seconds = time.perf_counter() - begun
        return seconds, sum(examples.lengths), examples.trained_tokens


def _examples(trajectories: Sequence[Trajectory], tokenizer: object) -> Iterator[Example]:
    for _, example in render_all(_unread(trajectories), tokenizer, MASK):
        if isinstance(example, Example):
            yield example


def _unread(trajectories: Sequence[Trajectory]) -> Sequence[Trajectory]:
    """Without the parsed replies that they keep."""
    for trajectory in trajectories:
        for turn in trajectory.turns:
            turn.__dict__.pop("parsed", None)
    return trajectories
