import re

from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.report.card.histogram import BINS, WIDTH, histogram, percentile

COUNTS = st.dictionaries(st.integers(0, 10**7), st.integers(1, 1000), min_size=1)


def read(text: str) -> list[tuple[int, int | None, int, int]]:
    """(first, last, length of bar, count) of each line; `last` is None when the bin is open."""
    found = []
    for line in text.splitlines()[1:]:
        first, last, bar, count = re.fullmatch(
            r" *([\d,]+)(?: to ([\d,]+)| or more)?  ([█▏]*) ([\d,]+)", line
        ).groups()
        low, many = (int(number.replace(",", "")) for number in (first, count))
        high = None if "or more" in line else int((last or first).replace(",", ""))
        found.append((low, high, len(bar), many))
    return found


@given(COUNTS)
def test_every_value_lies_in_the_bin_that_counts_it(counts):
    bins = read(histogram(counts, "turns"))
    assert len(bins) <= 2 * BINS + 2
    for low, high, bar, many in bins:
        inside = sum(n for value, n in counts.items() if low <= value and (high is None or value <= high))
        assert many == inside
        assert (bar > 0) == (many > 0)
    assert sum(many for *_, many in bins) == sum(counts.values())
    assert max(bar for _, _, bar, _ in bins) == WIDTH


@given(COUNTS, st.floats(0.01, 1))
def test_a_percentile_is_the_smallest_that_covers_the_share(counts, share):
    found, total = percentile(counts, share), sum(counts.values())
    assert found in counts
    assert sum(n for value, n in counts.items() if value <= found) >= share * total
    assert sum(n for value, n in counts.items() if value < found) < share * total + 1


def test_a_single_value_is_one_line():
    assert histogram({4: 1_200}, "turns") == f"turns  trajectories\n    4  {'█' * WIDTH} 1,200"


def test_values_far_out_share_the_last_bin():
    lines = histogram({5: 99, 10**6: 1}, "tokens").splitlines()
    assert lines[-1] == "10 or more  ▏ 1"
    assert len(lines) <= 1 + BINS
