import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.report.curve import draw, ticks

finite = st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6)
points = st.lists(st.tuples(st.integers(0, 10**6), finite | st.just(math.nan)), max_size=30)


@given(points)
def test_everything_drawn_lies_inside_the_frame(losses):
    curve = draw(losses)
    if curve is None:
        assert all(math.isnan(loss) for _, loss in losses)
        return
    drawn = [tuple(map(float, point.split(","))) for line in curve.lines for point in line.split()]
    assert len(drawn) + curve.skipped == len(losses)
    assert all(curve.left <= x <= curve.right and curve.top <= y <= curve.bottom for x, y in drawn)
    assert all(curve.top - 0.1 <= tick.at <= curve.bottom + 0.1 for tick in curve.y_ticks)


@pytest.mark.parametrize("losses", [[], [(1, math.nan)], [(1, math.inf)]])
def test_nothing_finite_draws_nothing(losses):
    assert draw(losses) is None


def test_a_loss_that_is_not_finite_breaks_the_line():
    curve = draw([(1, 3.0), (2, 2.0), (3, math.nan), (4, 1.0)])
    assert [len(line.split()) for line in curve.lines] == [2, 1]
    assert curve.skipped == 1
    assert curve.description == "Loss 3 at step 1, 1 at step 4"


def test_a_lower_loss_is_drawn_lower():
    (line,) = draw([(0, 2.0), (10, 1.0)]).lines
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in line.split())
    assert x1 > x0 and y1 > y0


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (0, 10, False, [0, 2, 4, 6, 8, 10]),
        (10, 1000, True, [200, 400, 600, 800, 1000]),
        (0, 2, True, [0, 1, 2]),
        (0, 0.07, False, [0, 0.02, 0.04, 0.06]),
    ],
)
def test_ticks_are_round_numbers(low, high, whole, expected):
    assert ticks(low, high, whole=whole) == pytest.approx(expected)
