"""How lengths are spread, as bars of text."""

import math
from collections.abc import Mapping

BINS = 8
WIDTH = 40
_FULL = "█"
_SOME = "▏"


def histogram(counts: Mapping[int, int], unit: str) -> str:
    """One line per bin of equal, round width: its bounds, a bar, how many trajectories.

    The last bin takes everything above the 95th percentile when a few values lie far beyond it.

    Args:
        counts: how often each value (0 or more) occurs; one at least.
    """
    low, high = min(counts), max(counts)
    usual = percentile(counts, 0.95)
    width = _round_width((min(high, 2 * usual) - low + 1) / BINS)
    first = low // width
    last = min(high, 2 * usual) // width
    bins = [0] * (last - first + 1)
    for value, count in counts.items():
        bins[min(value // width, last) - first] += count
    names = [_name(first + place, width) for place in range(len(bins))]
    if high >= (last + 1) * width:
        names[-1] = f"{last * width:,} or more"
    return "\n".join(_lines(names, bins, unit))


def percentile(counts: Mapping[int, int], share: float) -> int:
    """The smallest value that at least `share` (0 to 1) of all values do not exceed."""
    wanted, seen = math.ceil(share * sum(counts.values())), 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= wanted:
            break
    return value


def _round_width(least: float) -> int:
    """A whole number of `least` or more that is easy to count in."""
    power = 10 ** max(0, math.floor(math.log10(max(least, 1))))
    widths = (int(power * factor) for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10))
    return next(width for width in widths if width >= least)


def _name(bin: int, width: int) -> str:
    return f"{bin * width:,}" if width == 1 else f"{bin * width:,} to {(bin + 1) * width - 1:,}"


def _lines(names: list[str], bins: list[int], unit: str) -> list[str]:
    left = max(len(name) for name in (unit, *names))
    most = max(bins)
    bars = [_FULL * round(WIDTH * count / most) or _SOME * (count > 0) for count in bins]
    middle = max(len("trajectories"), *(len(bar) for bar in bars))
    lines = [f"{name:>{left}}  {bar} {count:,}" for name, bar, count in zip(names, bars, bins, strict=True)]
    return [f"{unit:>{left}}  {'trajectories':<{middle}}".rstrip(), *(line.rstrip() for line in lines)]
