"""Which characters of a text each token spells.

A tokenizer tells the offsets of its tokens, but that costs as much as a tenth of all tokenising. Tokens of
byte-level tokenizers say themselves how many bytes they spell.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Offsets(NamedTuple):
    """Token i spells the characters `[starts[i], ends[i])`; both ascend."""

    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> "Offsets":
        return cls(*map(list, zip(*pairs, strict=True)))


def token_bytes(core: "Tokenizer") -> list[int] | None:
    """How many bytes each token spells, by id; None when the tokens are not of bytes."""
    from tokenizers import decoders

    if not isinstance(core.decoder, decoders.ByteLevel):
        return None
    added = core.get_added_tokens_decoder()
    spelled = {id: len(token) for token, id in core.get_vocab().items()}  # a byte is shown as a character
    spelled |= {id: len(token.content.encode()) for id, token in added.items()}
    return [spelled.get(id, 0) for id in range(max(spelled) + 1)]


def counted(text: str, ids: Sequence[int], lengths: Sequence[int]) -> Offsets | None:
    """None when the tokens do not spell as much as the text: something was changed on the way.

    Args:
        lengths: what `token_bytes` found.
    """
    ends = list(accumulate(lengths[id] for id in ids))
    if text.isascii():
        return Offsets([0, *ends[:-1]], ends) if ends[-1:] == [len(text)] else None
    data = np.frombuffer(text.encode(), np.uint8)
    if ends[-1:] != [len(data)] or not all(lengths[id] for id in ids):
        return None
    begun = np.cumsum(data & 0xC0 != 0x80)  # characters up to and with each byte
    last = np.array(ends) - 1
    firsts = np.append(0, last[:-1] + 1)
    return Offsets((begun[firsts] - 1).tolist(), begun[last].tolist())
