"""Made-up names and values, split so that no held-out string is ever seen in training.

A name is two or three consonant-vowel syllables and sometimes a digit, a value has four digits. The
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
    """Draws names and values of one split for one task; no two names begin alike or contain each other."""

    def __init__(self, rng: random.Random, split: str) -> None:
        self._rng = rng
        self._split = split
        self._taken: list[str] = []

    def name(self) -> str:
        while True:
            text = "".join(self._rng.sample(SYLLABLES, k=self._rng.choice((2, 2, 3))))
            if self._rng.random() < 0.25:
                text += str(self._rng.randrange(1, 10))
            clash = any(text[:2] == other[:2] or text in other or other in text for other in self._taken)
            if not clash and belongs(text, self._split):
                self._taken.append(text)
                return text

    def value(self) -> str:
        while True:
            text = str(self._rng.randrange(1000, 10000))
            if text not in self._taken and belongs(text, self._split):
                self._taken.append(text)
                return text
