"""Several conversations in one sequence: which go together, and what the model is given of them.

A pack is a list of row indices, one row being one conversation. It is all that the trainer's data set
holds; tokens and weights are read from the examples when a micro-batch is put together.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from terminal_lego.errors import ConfigError
from terminal_lego.rendering.example import IGNORED, Example

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor, nn

PROBE = 8
"""Tokens of each of the two conversations in `refuse_leaks`."""


def pack(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Shares all rows out to as few packs of at most `size` tokens as best-fit decreasing finds.

    The longest row goes first, each into the fullest pack that still has room. Every row is in exactly
    one pack, whole; the result depends on nothing but the arguments.

    Raises:
        ConfigError: a row alone is longer than `size`.
    """
    packs: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (tokens left, pack), sorted
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        length = lengths[row]
        if length > size:
            raise ConfigError(
                f"row {row} has {length} tokens, a pack holds sft.max_length={size}: "
                "drop or cut such conversations first (sft.length), or raise sft.max_length."
            )
        fullest = bisect_left(room, (length, -1))
        if fullest == len(room):
            left, chosen = size, len(packs)
            packs.append([])
        else:
            left, chosen = room.pop(fullest)
        packs[chosen].append(row)
        insort(room, (left - length, chosen))
    return packs


def waste(packs: Sequence[Sequence[int]], lengths: Sequence[int], size: int) -> float:
    """The share of `len(packs) * size` tokens that no row fills."""
    return 1 - sum(lengths[row] for rows in packs for row in rows) / (len(packs) * size)


def dataset(packs: Sequence[Sequence[int]]) -> "Dataset":
    """One item {"rows": a pack} for each, and an empty one after the last.

    The empty pack, number `len(packs)`, becomes one token without a weight: it fills up a step.
    """
    from datasets import Dataset, Features, List, Value

    return Dataset.from_dict(
        {"rows": [*map(list, packs), []]}, features=Features({"rows": List(Value("int64"))})
    )


@dataclass(frozen=True)
class Collator:
    """Turns items of `dataset` into a micro-batch of tensors.

    All have the shape of `input_ids`, (items, longest) if padded, (1, all tokens) if packed:

    - `labels`: unshifted, IGNORED wherever the weight is 0, at the first token of a conversation and in
      padding: nothing is predicted across a border.
    - `shift_weights` (float32): at position t the loss weight of predicting the token at t + 1.
    - `position_ids`: from 0 in each conversation.
    - `attention_mask`: padded batches only. A packed one must not have any: models find the borders by
      `position_ids` alone as long as there is no mask and no cache.

    A packed batch also tells where its conversations begin (`cu_seq_lens_*`, `max_length_*`, `seq_idx`):
    flash attention would work it out in every layer, linear attention needs to be told.

    Attributes:
        pad_id: stands in padding, which no other token attends to.
        packed: one flat sequence of all conversations instead of one padded row for each.
        multiple: the sequence is padded to a multiple of this.
        borders: false leaves the begins out: a batch that is cut along the sequence, for several processes
            to share, can hold nothing but tensors of one shape.
    """

    examples: Sequence[Example]
    pad_id: int
    packed: bool
    multiple: int = 1
    borders: bool = True

    def __call__(self, items: Sequence[dict[str, Sequence[int]]]) -> dict[str, Any]:
        conversations = [self._conversation(row) for item in items for row in item["rows"] or [None]]
        return self._flat(conversations) if self.packed else self._padded(conversations)

    def _conversation(self, row: int | None) -> dict[str, np.ndarray]:
        if row is None:
            return self._without_loss(1)
        example = self.examples[row]
        tokens = np.asarray(example.input_ids, dtype=np.int64)
        weights = np.asarray(example.weights, dtype=np.float32)
        labels = np.where(weights == 0, IGNORED, tokens)
        labels[0] = IGNORED
        return {
            "input_ids": tokens,
            "labels": labels,
            "shift_weights": np.append(weights[1:], np.float32(0)),
            "position_ids": np.arange(len(tokens)),
        }

    def _without_loss(self, length: int) -> dict[str, np.ndarray]:
        return {
            "input_ids": np.full(length, self.pad_id),
            "labels": np.full(length, IGNORED),
            "shift_weights": np.zeros(length, dtype=np.float32),
            "position_ids": np.arange(length),
        }

    def _padded(self, conversations: list[dict[str, np.ndarray]]) -> dict[str, "Tensor"]:
        lengths = [len(each["input_ids"]) for each in conversations]
        width = self._round_up(max(lengths))
        rows = [
            _joined([each, self._without_loss(width - length)])
            | {"attention_mask": (np.arange(width) < length).astype(np.int64)}
            for each, length in zip(conversations, lengths, strict=True)
        ]
        return _tensors({key: np.stack([row[key] for row in rows]) for key in rows[0]})

    def _flat(self, conversations: list[dict[str, np.ndarray]]) -> dict[str, Any]:
        tokens = sum(len(each["input_ids"]) for each in conversations)
        if padding := self._round_up(tokens) - tokens:
            conversations = [*conversations, self._without_loss(padding)]
        batch = _tensors({key: row[None] for key, row in _joined(conversations).items()})
        if not self.borders:
            return batch
        return batch | borders([len(each["input_ids"]) for each in conversations])

    def _round_up(self, length: int) -> int:
        return math.ceil(length / self.multiple) * self.multiple


def borders(lengths: Sequence[int]) -> dict[str, Any]:
    """Where conversations of these lengths begin in a flat sequence, in the words of transformers."""
    import torch

    begins = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)
    numbers = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)[None]
    longest = max(lengths)
    return {
        "cu_seq_lens_q": begins,
        "cu_seq_lens_k": begins,
        "max_length_q": longest,
        "max_length_k": longest,
        "seq_idx": torch.from_numpy(numbers),
    }


def refuse_leaks(model: "nn.Module", *, device: Any, vocabulary: int, with_borders: bool) -> None:
    """Raises ConfigError if a conversation can read the one before it in its pack.

    Two tiny conversations go through `model` twice, the first with other tokens the second time: not a bit of
    what is predicted in the second may change. So the proof is on the weights, attention and wrapping in use.
    All processes must call this together.

    Args:
        model: wrapped or not; called with the columns of a packed batch and labels, through the fused head.
        with_borders: as the batches of this training have them.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    first, other, second = (torch.randint(vocabulary, (PROBE,), generator=generator) for _ in range(3))
    shared = {"position_ids": torch.arange(PROBE).repeat(2)[None]}
    shared |= borders([PROBE, PROBE]) if with_borders else {}
    shared = {key: each.to(device) if torch.is_tensor(each) else each for key, each in shared.items()}

    def predicted(neighbour: "Tensor") -> "Tensor":
        tokens = torch.cat([neighbour, second])[None].to(device)
        scores = model(input_ids=tokens, labels=tokens, fused_lm_head=True, **shared).log_probs
        return scores[:, PROBE:]

    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            leaks = not torch.equal(predicted(first), predicted(other))
    except ValueError as error:  # how transformers says that a kernel is missing
        raise ConfigError(f"sft.packing=true cannot work here ({error}): set sft.packing=false.") from error
    model.train(training)
    if leaks:
        raise ConfigError(
            "sft.packing=true, but this student reads from one conversation of a pack in the next: "
            "set sft.packing=false, or another attention implementation."
        )


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, "Tensor"]:
    import torch

    return {key: torch.from_numpy(array) for key, array in arrays.items()}
