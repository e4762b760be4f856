"""A conversation as tokens: what the renderer makes and everything after it reads."""

from array import array
from dataclasses import dataclass

import numpy as np

IGNORED = -100
DONE = "task_complete"
"""Label of a reply that declares the task complete."""


@dataclass(frozen=True)
class Span:
    """Tokens `[start, end)` of the rendered chat.

    `turn` counts assistant turns from 0; everything the model reads before its reply k belongs to turn k.
    `label` is the kind of command these tokens spell; of a whole message it is empty, or `DONE`.
    """

    role: str
    turn: int
    start: int
    end: int
    label: str = ""


@dataclass(frozen=True)
class Example:
    """One conversation, ready to train on.

    Attributes:
        input_ids: length L, typecode "i".
        weights: length L, typecode "f"; the loss weight of predicting each token (0 = read only).
        spans: what each part of the sequence is, in order, covering it without gaps.
        parts: the labelled commands within the replies, in order, without overlaps.
    """

    id: str
    input_ids: "array[int]"
    weights: "array[float]"
    spans: tuple[Span, ...]
    parts: tuple[Span, ...] = ()

    @property
    def labels(self) -> "array[int]":
        """`input_ids` where the weight is not zero, `IGNORED` elsewhere (unshifted, as TRL wants them)."""
        labels = np.array(self.input_ids, dtype=np.int32)
        labels[np.asarray(self.weights) == 0] = IGNORED
        return array("i", labels.tobytes())

    @property
    def trained_tokens(self) -> int:
        return int(np.count_nonzero(self.weights))
