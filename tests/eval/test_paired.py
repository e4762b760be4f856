import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.paired import EXACT_TASKS, FLIPS, compare, sign_flip, task_gaps


@given(st.lists(st.sampled_from([-1.0, -0.5, -0.2, 0.0, 0.4, 1.0]), min_size=1, max_size=8))
def test_few_tasks_are_counted_out(gaps):
    """Against every pattern of signs, zeros included."""
    sums = [abs(np.dot(signs, gaps)) for signs in itertools.product((-1, 1), repeat=len(gaps))]
    expected = np.mean([value >= abs(sum(gaps)) - 1e-9 for value in sums])
    assert sign_flip(gaps) == (pytest.approx(expected), "sign flips, exact")


def test_five_wins_of_five_are_one_in_sixteen():
    assert sign_flip([1.0] * 5 + [0.0] * 40)[0] == 2 / 2**5


def test_no_difference_is_no_evidence():
    assert sign_flip([0.0] * 30)[0] == 1
    assert sign_flip([1.0, -1.0])[0] == 1


def test_drawn_signs_agree_with_the_binomial():
    """14 wins and 6 losses: P(|heads - tails| >= 8 of 20 coins) = 0.1153."""
    p, method = sign_flip([1.0] * 14 + [-1.0] * 6)
    assert p == pytest.approx(0.1153, abs=0.004) and "100,000" in method


def test_p_is_never_zero():
    assert sign_flip([1.0] * (EXACT_TASKS + 60))[0] == 1 / (FLIPS + 1)


def test_without_a_shared_task_there_is_no_p():
    assert math.isnan(compare({"a": [1.0]}, {"b": [1.0]}).p_value)


def test_gaps_are_of_task_means():
    assert task_gaps({"a": [1.0, 0.0], "b": [1.0], "c": [1.0]}, {"a": [0.0], "b": [1.0, 1.0], "c": []}) == {
        "a": 0.5,
        "b": 0.0,
    }


def test_under_no_difference_p_is_below_a_twentieth_once_in_twenty():
    gaps = np.random.default_rng(5).normal(size=(1000, 10)).tolist()
    share = np.mean([sign_flip(each)[0] <= 0.05 for each in gaps])
    assert 0.035 <= share <= 0.065
