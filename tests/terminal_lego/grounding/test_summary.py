import math

import pytest

from terminal_lego.grounding.measures import Measures
from terminal_lego.grounding.scores import Scores
from terminal_lego.grounding.summary import by_teacher, matched, published
from terminal_lego.grounding.tor import DEFAULT, VARIANTS, Count


def scored(model="m", task="t", supported=0, actions=1) -> Scores:
    counts = dict.fromkeys(VARIANTS, Count(supported, actions))
    return Scores("id", task, task, model, 1.0, counts, Measures(None, None, None, None, 3, 2.0, 0.0, 0))


def test_the_mean_is_over_trajectories_and_the_pool_over_actions():
    (teacher,) = by_teacher(
        [scored(task="a", supported=1, actions=1), scored(task="b", supported=0, actions=3)]
    )
    assert teacher.mean[DEFAULT].value == 0.5
    assert teacher.pooled[DEFAULT].value == 0.25
    assert (teacher.trajectories, teacher.tasks) == (2, 2)


def test_a_trajectory_without_an_action_is_left_out():
    (teacher,) = by_teacher([scored(task="a", supported=1), scored(task="b", actions=0)])
    assert teacher.mean[DEFAULT].value == 1


def test_a_figure_nobody_defines_is_nan():
    (teacher,) = by_teacher([scored(task="a"), scored(task="b")])
    assert math.isnan(teacher.measures["retried"].value)
    assert math.isnan(teacher.measures["retried"].low)


def test_one_task_gives_no_interval():
    (teacher,) = by_teacher([scored(supported=1), scored(supported=0)])
    estimate = teacher.mean[DEFAULT]
    assert estimate.value == 0.5
    assert math.isnan(estimate.low) and math.isnan(estimate.high)


def test_the_interval_resamples_tasks_not_trajectories():
    """Ten tasks of ten equal trajectories know as much as ten trajectories."""
    few = [scored(task=str(task), supported=task % 2) for task in range(10)]
    many = [score for score in few for _ in range(10)]
    (one,), (ten,) = by_teacher(few), by_teacher(many)
    assert ten.mean[DEFAULT] == one.mean[DEFAULT]
    assert one.mean[DEFAULT].low < 0.3 < 0.7 < one.mean[DEFAULT].high


def test_the_interval_covers_as_often_as_it_says():
    """Binomial data, 40 tasks: the percentile interval holds the truth near 95 times of 100."""
    import numpy as np

    random = np.random.default_rng(1)
    held = 0
    for trial in range(200):
        draws = random.random(40) < 0.3
        (teacher,) = by_teacher(
            [scored(task=str(i), supported=int(hit)) for i, hit in enumerate(draws)], trial
        )
        estimate = teacher.mean[DEFAULT]
        held += estimate.low <= 0.3 <= estimate.high
    assert 0.88 <= held / 200 <= 0.99


def test_matched_keeps_the_tasks_that_all_teachers_have():
    rows = [scored("a", "1"), scored("a", "2"), scored("b", "2"), scored("b", "3"), scored("b", "2")]
    assert [(row.model, row.task) for row in matched(rows)] == [("a", "2"), ("b", "2"), ("b", "2")]
    assert matched([]) == []


@pytest.mark.parametrize(
    ("model", "figure"),
    [
        ("deepseek/deepseek-v3.2", 13.4),
        ("openrouter/z-ai/glm-5", 7.3),
        ("qwen3.5-plus-2026", 6.5),
        ("anthropic/claude-opus-4-6", 2.5),
        ("gpt-oss-120b", None),
    ],
)
def test_published_figures_find_their_teacher(model, figure):
    (teacher,) = by_teacher([scored(model)])
    assert teacher.published == figure
    assert len(published()) == 4
