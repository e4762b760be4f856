"""A text as a set of hashed word shingles, computed on arrays: no Python object per word."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_LETTERS = 0x9E3779B97F4A7C15
_WORDS = 0xD6E8FEB86659FD93


def shingles(text: str, size: int = 5) -> "np.ndarray":
    """Distinct hashes (uint32, sorted) of all runs of `size` words; a shorter text is one shingle.

    A word is a run of ASCII letters, digits, underscores and of anything beyond ASCII; case does not count.
    The hashes depend on the text alone, so sets of different processes can be compared.
    """
    import numpy as np

    words = _word_hashes(text)
    if len(words) < size:
        words = np.pad(words, (0, size - len(words)))
    count = len(words) - size + 1
    runs = np.zeros(count, np.uint64)
    for place, power in enumerate(_powers(_WORDS, size)):
        runs += words[place : place + count] * power
    return np.unique((_mixed(runs) >> np.uint64(32)).astype(np.uint32))


def jaccard(a: "np.ndarray", b: "np.ndarray") -> float:
    """Shared share of two sorted sets of shingles."""
    import numpy as np

    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)


def _word_hashes(text: str) -> "np.ndarray":
    """One polynomial hash per word: the sum of its bytes times powers of an odd constant, modulo 2^64."""
    import numpy as np

    letters = _word_letters()[np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)]
    inside = letters > 0
    starts = np.flatnonzero(inside & ~np.concatenate(([False], inside[:-1])))
    if not len(starts):
        return np.zeros(0, np.uint64)
    letters = letters[starts[0] :]
    starts = starts - starts[0]
    lengths = np.diff(starts, append=len(letters))
    places = np.arange(len(letters)) - np.repeat(starts, lengths)
    # Bytes between two words are 0 and add nothing to the word before them.
    return _mixed(np.add.reduceat(letters * _powers(_LETTERS, int(lengths.max()))[places], starts))


@cache
def _word_letters() -> "np.ndarray":
    """For each byte: the number it stands for in a word, 0 when it ends one."""
    import numpy as np

    table = np.zeros(256, np.uint64)
    for byte in range(256):
        lowered = chr(byte).lower() if byte < 128 else chr(byte)
        if byte >= 128 or lowered.isalnum() or lowered == "_":
            table[byte] = ord(lowered)
    return table


def _powers(base: int, count: int) -> "np.ndarray":
    """1, base, base^2, ... modulo 2^64."""
    import numpy as np

    factors = np.full(count, base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors)


def _mixed(values: "np.ndarray") -> "np.ndarray":
    """The finaliser of SplitMix64: every bit of the input reaches every bit of the output."""
    import numpy as np

    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
