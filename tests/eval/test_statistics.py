import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.statistics import mean_interval, paired_difference, pass_at_k, score, student_quantile, wilson
from terminal_lego.errors import ConfigError

binary = st.dictionaries(
    st.text(min_size=1, max_size=3),
    st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=4),
    max_size=12,
)


@given(st.integers(1, 9), st.data())
def test_pass_at_k_is_the_chance_that_k_drawn_trials_hold_a_success(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    draws = list(itertools.combinations([True] * c + [False] * (n - c), k))
    assert pass_at_k([c], [n], k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_is_a_mean_over_tasks_not_over_trials():
    assert pass_at_k([1, 0], [1, 99], 1) == 0.5


@pytest.mark.parametrize(("successes", "trials", "k"), [([], [], 1), ([1, 1], [5, 1], 2)])
def test_pass_at_k_is_nan_without_enough_trials(successes, trials, k):
    assert math.isnan(pass_at_k(successes, trials, k))


@pytest.mark.parametrize(("successes", "trials", "k"), [([1], [2], 0), ([3], [2], 1), ([1], [2, 2], 1)])
def test_pass_at_k_refuses_what_cannot_be(successes, trials, k):
    with pytest.raises(ConfigError):
        pass_at_k(successes, trials, k)


@pytest.mark.parametrize(
    ("solved", "n", "low", "high"),
    [(0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (81, 263, 0.25529, 0.36621), (1, 29, 0.00611, 0.17177)],
)
def test_wilson_has_the_published_values(solved, n, low, high):
    """Rows of Newcombe 1998 (81 of 263, 1 of 29), and the closed form z^2 / (n + z^2) at the ends."""
    assert wilson(solved / n, n) == pytest.approx((low, high), abs=1e-4)


def test_one_binary_trial_per_task_takes_wilson():
    estimate = mean_interval({str(i): [float(i < 8)] for i in range(10)})
    assert (estimate.value, (estimate.low, estimate.high)) == (0.8, wilson(0.8, 10))
    assert "Wilson" in estimate.method and "10 tasks" in estimate.method


def test_several_trials_per_task_take_a_bootstrap_of_tasks():
    rewards = {str(i): [float(i % 2)] * 50 for i in range(40)}
    estimate = mean_interval(rewards)
    assert "bootstrap over 40 tasks" in estimate.method
    # 2000 trials, but only 40 tasks: the half width is that of 40 coins, 2.02 * 0.5 / sqrt(39) = 0.162.
    assert estimate.high - estimate.low == pytest.approx(0.324, abs=0.03)


@pytest.mark.parametrize("rare", [0.0, 1.0])
def test_few_solved_or_unsolved_tasks_take_wilson_with_tasks_as_units(rare):
    rewards = {str(i): [rare if i < 2 else 1 - rare, 1 - rare] for i in range(40)}
    estimate = mean_interval(rewards)
    assert "Wilson" in estimate.method and "trials kept" in estimate.method
    assert 0 < estimate.low < estimate.value < estimate.high < 1
    # More certain than 40 single trials, less than 80.
    widths = [np.subtract(*wilson(estimate.value, n)[::-1]) for n in (40, 80)]
    assert widths[1] < estimate.high - estimate.low < widths[0]


def test_few_tasks_take_wilson_with_tasks_as_units():
    rewards = {str(i): [float(i % 2)] * 50 for i in range(20)}
    estimate = mean_interval(rewards)
    assert "Wilson" in estimate.method
    assert estimate.high - estimate.low == pytest.approx(0.43, abs=0.02)


def test_fractional_rewards_have_an_interval_within_the_unit():
    estimate = mean_interval({"a": [0.25], "b": [1.0], "c": [0.5]})
    assert 0 < estimate.low < 0.25 and 0.9 < estimate.high < 1


def test_rewards_beyond_the_unit_take_students_interval():
    """4.303 * sd / sqrt(3), the sd of 1, 2 and 6 being 2.6458."""
    estimate = mean_interval({"a": [1.0], "b": [2.0], "c": [6.0]})
    assert "Student" in estimate.method
    assert (estimate.value, estimate.high) == (3.0, pytest.approx(3 + 6.572, abs=0.06))


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 12.706), (3, 3.182), (10, 2.228), (30, 2.042), (999, 1.962)]
)
def test_student_quantiles_are_those_of_the_tables(freedom, value):
    assert student_quantile(0.975, freedom) == pytest.approx(value, rel=2e-3)


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_unanimous_tasks_fall_back_to_wilson(reward):
    estimate = mean_interval({str(i): [reward] * 3 for i in range(10)})
    assert (estimate.low, estimate.high) == pytest.approx(wilson(reward, 10))
    assert "Wilson" in estimate.method


def test_a_collapsed_bootstrap_in_the_middle_still_has_width():
    estimate = mean_interval({str(i): [0.0, 1.0] for i in range(10)})
    assert estimate.low < 0.5 < estimate.high


def test_unanimous_reward_outside_the_unit_has_no_interval():
    estimate = mean_interval({"a": [3.0], "b": [3.0]})
    assert estimate.value == 3.0 and math.isnan(estimate.low)
    assert "outside" in estimate.method


@pytest.mark.parametrize("rewards", [{}, {"a": []}])
def test_no_task_gives_nan_and_the_reason(rewards):
    estimate = mean_interval(rewards)
    assert all(map(math.isnan, (estimate.value, estimate.low, estimate.high)))
    assert "no task" in estimate.method


@given(binary)
def test_interval_encloses_the_mean_and_stays_in_the_unit(rewards):
    estimate = mean_interval(rewards)
    if rewards:
        assert 0 <= estimate.low <= estimate.value + 1e-12
        assert estimate.value - 1e-12 <= estimate.high <= 1
        assert estimate.low < estimate.high


@given(binary)
def test_failures_mirror_successes(rewards):
    mirrored = {task: [1 - reward for reward in of_task] for task, of_task in rewards.items()}
    plain, mirror = mean_interval(rewards), mean_interval(mirrored)
    if rewards:
        assert mirror.value == pytest.approx(1 - plain.value)
        assert (mirror.low, mirror.high) == pytest.approx((1 - plain.high, 1 - plain.low), abs=1e-9)


def test_the_seed_decides_the_bootstrap():
    rewards = {str(i): [0.0, float(i % 3 == 0), 1.0] for i in range(9)}
    assert mean_interval(rewards, seed=1) == mean_interval(rewards, seed=1)


def test_a_wider_level_gives_a_wider_interval():
    rewards = {str(i): [0.0, float(i % 2)] for i in range(30)}
    narrow, wide = mean_interval(rewards, 0.8), mean_interval(rewards, 0.99)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide.method.startswith("99%")


def test_pairing_takes_the_difficulty_of_tasks_out():
    """b is a minus one solved task of 100: unpaired intervals of +-10 points, paired +-2."""
    a = {str(i): [float(i < 50)] for i in range(100)}
    b = a | {"0": [0.0]}
    estimate = paired_difference(a, b)
    assert estimate.value == pytest.approx(0.01)
    assert estimate.high - estimate.low < 0.05


def test_few_pairs_take_students_interval_within_what_rewards_allow():
    estimate = paired_difference({"a": [1.0], "b": [1.0]}, {"a": [0.0], "b": [1.0]})
    assert (estimate.low, estimate.value, estimate.high) == (-1.0, 0.5, 1.0)
    assert "paired Student interval over 2 shared tasks" in estimate.method


def test_only_shared_tasks_are_compared():
    estimate = paired_difference(
        {"x": [1.0], "y": [0.0], "only": [1.0]}, {"x": [0.0], "y": [0.0], "other": [0.0], "only": []}
    )
    assert estimate.value == 0.5
    assert "2 shared tasks" in estimate.method


def test_no_shared_task_gives_nan_and_the_reason():
    estimate = paired_difference({"a": [1.0]}, {"b": [1.0]})
    assert math.isnan(estimate.value) and "no task that both tried" in estimate.method


def test_two_equal_students_are_not_proven_equal():
    rewards = {str(i): [float(i % 2)] for i in range(10)}
    estimate = paired_difference(rewards, rewards)
    assert estimate.value == 0
    assert estimate.low == -estimate.high < 0


@given(binary, binary)
def test_swapping_the_sides_changes_the_sign(a, b):
    forth, back = paired_difference(a, b), paired_difference(b, a)
    assert forth.value == pytest.approx(-back.value, nan_ok=True)


def test_score_gives_both_forms_and_the_count_between_them():
    both = score({"a": [1.0, None], "b": [0.0, 1.0], "c": [None, None]})
    assert both.strict.value == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert both.without_infrastructure_errors.value == pytest.approx((1 + 0.5) / 2)
    assert both.infrastructure_errors == 3
    assert "2 tasks" in both.without_infrastructure_errors.method


def test_score_of_nothing_but_infrastructure_errors_has_one_number_only():
    both = score({"a": [None]})
    assert both.strict.value == 0
    assert math.isnan(both.without_infrastructure_errors.value)
