import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.curation.shingles import jaccard, shingles

pieces = st.sampled_from(["a", "B", "b", "cc", "_1", "é", "—", " ", " ", " ", ". ", "\n\n"])
texts = st.lists(pieces, max_size=25).map("".join) | st.text(max_size=30)


def plain(text, size):
    """The same sets, spelled out."""
    split = re.findall(rb"[a-z0-9_\x80-\xff]+", text.encode("utf-8", "surrogatepass").lower())
    split += [b""] * (size - len(split))
    return {tuple(split[start : start + size]) for start in range(len(split) - size + 1)}


@given(texts, texts, st.integers(1, 5))
def test_sets_are_alike_as_far_as_their_words_are(a, b, size):
    ours = jaccard(shingles(a, size), shingles(b, size))
    left, right = plain(a, size), plain(b, size)
    assert ours == pytest.approx(len(left & right) / len(left | right))


@given(texts)
def test_shingles_are_sorted_and_distinct(text):
    hashes = shingles(text)
    assert hashes.dtype == np.uint32
    assert len(hashes) >= 1
    assert (hashes[1:] > hashes[:-1]).all()


def test_long_words_count_to_their_last_letter():
    long = "x" * 500
    assert (
        len({tuple(shingles(word)) for word in (long, f"{long}a", f"{long}b", f"a{long}", f"b{long}")}) == 5
    )


def test_hashes_do_not_depend_on_the_process():
    assert shingles("one two three four five six").tolist() == [3356679617, 4257845557]
