"""Made-up names and values, split so that no held-out string is ever seen in training.

A name is two or three consonant-vowel syllables, a value has four digits. The
split of a string is a hash of the whole string; the syllables themselves are shared between splits, so
the claim a held-out task supports is "unseen strings of known pieces", nothing wider.
"""

import hashlib
import random

SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprstvzh" for vowel in "aeiou")
SPLITS = {"train": range(8), "heldout": (8,), "final": (9,)}


def belongs(text: str, split: str) -> bool:
    """Whether a string may appear in a split's tasks."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % 10 in SPLITS[split]


class Names:
    """Draws names and values of one split for one task.

    No syllable occurs twice in a task and no digit twice in a value, so that a piece says which piece
    comes next: with two layers and 64 dimensions a student cannot keep more context than that.
    """

    def __init__(self, rng: random.Random, split: str) -> None:
        self._rng = rng
        self._split = split
        self._syllables = list(SYLLABLES)
        self._values: set[str] = set()

    def name(self) -> str:
        while True:
            pieces = self._rng.sample(self._syllables, k=self._rng.choice((2, 2, 3)))
            if belongs("".join(pieces), self._split):
                self._syllables = [piece for piece in self._syllables if piece not in pieces]
                return "".join(pieces)

    def value(self) -> str:
        while True:
            text = "".join(self._rng.sample("0123456789", k=4))
            if text not in self._values and belongs(text, self._split):
                self._values.add(text)
                return text
