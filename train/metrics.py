"""What is logged beside the loss: speed, clipping, the loss by turn and by part of a reply, samples."""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from terminal_lego.rendering.example import Example

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CLIPPED_TOO_OFTEN = 0.95
STEPS_TO_JUDGE = 50
"""Logged ones: a first stretch of long gradients is nothing unusual."""
REPLY_TEXT = "reply text"


class Throughput:
    """Tokens per second, and model FLOPs utilisation: the share of the GPUs' peak that training needs.

    Attention counts as causal and recomputation not at all, as in `ModelShape.flops`. The operations of a
    token are the data set's mean, so a reading over few steps is as exact as their lengths are typical.
    """

    def __init__(
        self,
        flops_per_token: float | None = None,
        peak: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        flops_per_token: `Plan.flops_per_token`.
        peak: operations per second of all GPUs together; 0 when it is not known.
        """
        self._flops_per_token, self._peak, self._clock = flops_per_token, peak, clock
        self.start()

    def start(self) -> None:
        """From now on nothing is read yet."""
        self._tokens, self._time = 0.0, self._clock()

    def read(self, tokens: float) -> dict[str, float]:
        """Of what happened since the last reading; `tokens` that all processes have read since the start."""
        now = self._clock()
        rate = (tokens - self._tokens) / (now - self._time)
        self._tokens, self._time = tokens, now
        metrics = {"train/tokens_per_second": rate}
        if self._flops_per_token and self._peak:
            metrics["train/mfu"] = rate * self._flops_per_token / self._peak
        return metrics


class Clipping:
    """How often the gradient is longer than `limit` (sft.clip) and is cut to it."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._steps = self._clipped = 0
        self._warned = False

    def add(self, norm: float) -> dict[str, float]:
        """`norm` before clipping, of one step."""
        self._steps += 1
        self._clipped += norm > self._limit
        return {"train/grad_norm": norm, "train/clipped_share": self._clipped / self._steps}

    def warning(self) -> str | None:
        """A sentence, once, when nearly every step so far was clipped: then the limit sets the step size."""
        share = self._clipped / self._steps if self._steps else 0.0
        if self._warned or self._steps < STEPS_TO_JUDGE or share <= CLIPPED_TOO_OFTEN:
            return None
        self._warned = True
        return (
            f"{share:.0%} of {self._steps} logged steps were clipped to sft.clip={self._limit:g}: the "
            "gradient's length no longer counts, as if the learning rate were another; raise sft.clip, or "
            "see that sft.learning_rate was chosen for this."
        )


class LossProbe:
    """The loss on some fixed conversations, broken down; the same tokens every time.

    It is a forward pass of its own, now and then: the training's own batches are other conversations at
    every step, so their breakdown would follow which of them came, and would cost logits at every step.
    """

    def __init__(
        self, examples: Sequence[Example], *, count: int = 16, most_tokens: int = 1024, seed: int = 0
    ) -> None:
        """Args:
        count: conversations.
        most_tokens: trained tokens of one conversation that are looked at, drawn at random. Their logits
            exist at the same time: 4 bytes for each word of the vocabulary.
        """
        indices = sorted(random.Random(seed).sample(range(len(examples)), min(count, len(examples))))
        generator = np.random.default_rng(seed)
        self._chosen = [_chosen(examples[index], most_tokens, generator) for index in indices]

    def measure(self, model: "PreTrainedModel", *, precision: str) -> dict[str, float]:
        """Mean loss per trained token, by weight, as metrics: in all, by turn and by kind of command.

        With several processes all of them must call it: engines that spread the weights gather them here.
        Processes that share one sequence (parallel.sequence_parallel above 1) cannot.

        Args:
            precision: the student's, fp32 or bf16.
        """
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        was_training = model.training
        model.eval()
        try:
            for example, positions in self._chosen:
                losses = _losses(model, example, positions, precision)
                for position, loss, keys in zip(positions, losses, _keys(example, positions), strict=True):
                    weight = example.weights[position]
                    for key in keys:
                        sums[key][0] += weight * loss
                        sums[key][1] += weight
        finally:
            model.train(was_training)
        return {key: float(total / weight) for key, (total, weight) in sorted(sums.items())}


def turn_range(turn: int) -> str:
    """The range of turns, each twice as long as the one before, that assistant turn `turn` (from 0) is in."""
    power = min((turn + 1).bit_length() - 1, 4)
    first, last = 2**power, 2 ** (power + 1) - 1
    return "1" if power == 0 else f"{first}+" if power == 4 else f"{first}-{last}"


def sample_rows(
    examples: Sequence[Example], tokenizer: "PreTrainedTokenizerBase", *, count: int = 4, seed: int = 0
) -> list[dict[str, Any]]:
    """Some conversations as the student sees them, one row each: id, tokens, trained, text.

    In the text `{+...+}` is trained, `[-...-]` a reply's part that is not, the rest is only read.
    """
    from terminal_lego.report.masked_text import masked_text

    indices = sorted(random.Random(seed).sample(range(len(examples)), min(count, len(examples))))
    return [
        {
            "id": example.id,
            "tokens": len(example.input_ids),
            "trained": example.trained_tokens,
            "text": masked_text(example, tokenizer).plain,
        }
        for example in (examples[index] for index in indices)
    ]


def _chosen(example: Example, most: int, generator: np.random.Generator) -> tuple[Example, np.ndarray]:
    """The example, and at most `most` positions of trained tokens, in order; the first token has no loss."""
    positions = np.flatnonzero(np.asarray(example.weights)[1:]) + 1
    if len(positions) > most:
        positions = np.sort(generator.choice(positions, most, replace=False))
    return example, positions


def _keys(example: Example, positions: np.ndarray) -> list[tuple[str, str, str]]:
    """The metrics that each position counts for."""
    turns = np.zeros(len(example.input_ids), dtype=np.int64)
    labels = np.full(len(example.input_ids), REPLY_TEXT, dtype=object)
    for span in example.spans:
        turns[span.start : span.end] = span.turn
    for part in example.parts:
        labels[part.start : part.end] = part.label
    return [
        ("probe/loss", f"probe/loss_by_turn/{turn_range(int(turns[at]))}", f"probe/loss_by_part/{labels[at]}")
        for at in positions
    ]


def _losses(
    model: "PreTrainedModel", example: Example, positions: np.ndarray, precision: str
) -> "np.ndarray":
    import torch

    device = next(model.parameters()).device
    ids = torch.tensor(list(example.input_ids), device=device)
    at = torch.as_tensor(positions, device=device)
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        logits = model(input_ids=ids[None], logits_to_keep=at - 1, use_cache=False).logits[0]
    return torch.nn.functional.cross_entropy(logits.float(), ids[at], reduction="none").cpu().numpy()
