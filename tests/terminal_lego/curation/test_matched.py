from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.curation.draw import limit_matched
from terminal_lego.curation.matched import matched, teachers_to_match
from terminal_lego.errors import ConfigError
from terminal_lego.formats import read_trajectories

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "trajectories"


def by_text(trajectory):
    return trajectory.prompt


def cells(trajectories):
    return sorted((trajectory.model, trajectory.prompt) for trajectory in trajectories)


def test_a_task_stays_when_every_teacher_has_it(make, kept, reasons):
    given = [
        make("a1", "ann", text="one"),
        make("a2", "ann", text="two"),
        make("b1", "bob", text="one"),
        make("b3", "bob", text="three"),
        make("c1", "cy", text="one"),
        make("c2", "cy", text="two"),
        make("x1", "", text="one"),
    ]
    assert kept(matched(["ann", "bob", "cy"], 0, by_text), given) == ["a1", "b1", "c1"]
    assert reasons(matched(["ann", "bob", "cy"], 0, by_text), given) == {
        "a2": "no trajectory of bob is left for this task",
        "b3": "no trajectory of ann, cy is left for this task",
        "c2": "no trajectory of bob is left for this task",
        "x1": "teacher is unknown",
    }
    assert kept(matched(["ann", "cy"], 0, by_text), given) == ["a1", "a2", "c1", "c2"]


def test_one_id_for_two_tasks_is_no_match(make, kept):
    given = [make("a", "ann", task="7", text="one"), make("b", "bob", task="7", text="two")]
    assert kept(matched(["ann", "bob"], 0), given) == []
    given = [make("a", "ann", task="7", text="one"), make("b", "bob", task="8", text="one")]
    assert kept(matched(["ann", "bob"], 0), given) == ["a", "b"]


def test_one_trajectory_per_teacher_and_task_is_drawn(make, reasons):
    given = [make(f"a{n}", "ann") for n in range(9)] + [make("b", "bob")]
    drawn = set()
    for seed in range(20):
        kept, dropped = matched(["ann", "bob"], seed, by_text)(given)
        assert [trajectory.model for trajectory in kept] == ["ann", "bob"]
        assert {drop.reason for drop in dropped} == {"another trajectory of this task was drawn"}
        drawn.add(kept[0].id)
    assert len(drawn) > 3


@given(st.data())
def test_every_teacher_has_every_task_once_whatever_the_order(make, data):
    models, texts = ["ann", "bob", "cy"], ["one", "two", "three"]
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(models), st.sampled_from(texts)), max_size=20))
    trajectories = [make(str(n), model, text=text) for n, (model, text) in enumerate(pairs)]
    kept, _ = matched(models, 3, by_text)(trajectories)
    common = set.intersection(*({text for model, text in pairs if model == one} for one in models))
    assert cells(kept) == cells(make("", model, text=text) for model in models for text in common)
    again, _ = matched(models, 3, by_text)(data.draw(st.permutations(trajectories)))
    assert sorted(t.id for t in again) == sorted(t.id for t in kept)


def test_a_limit_draws_the_same_tasks_for_every_teacher(make):
    tasks = [f"task {n}" for n in range(30)]
    of_ann = [make(f"a{text}", "ann", text=text) for text in tasks]
    of_bob = [make(f"b{text}", "bob", text=text) for text in tasks]
    drawn = [limit_matched(10, 0, by_text)(given)[0] for given in (of_ann, of_bob[::-1])]
    assert {t.prompt for t in drawn[0]} == {t.prompt for t in drawn[1]}
    assert len(drawn[0]) == len(drawn[1]) == 10
    both, _ = limit_matched(10, 0, by_text)(of_ann + of_bob)
    assert len({t.prompt for t in both}) == 5


def test_teachers():
    assert teachers_to_match(["b", "a", "", "b"]) == ["a", "b"]
    assert teachers_to_match(["b", "a", "c"], ["c", "a"]) == ["a", "c"]


@pytest.mark.parametrize(
    ("found", "wanted", "message"),
    [
        (["ann", ""], [], "matched=true compares two teachers or more, but the trajectories are of ann;"),
        ([""], [], "are of nobody named;"),
        (["ann", "bob"], ["bob"], "compares two teachers or more"),
        (["ann", "bob"], ["bob", "cy"], "names cy, but the trajectories are of ann, bob;"),
    ],
)
def test_too_few_teachers_are_refused(found, wanted, message):
    with pytest.raises(ConfigError, match=message):
        teachers_to_match(found, wanted)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded trials at ../shared/data/trajectories")
def test_recorded_trials_of_two_models_are_matched_by_what_the_prompts_say():
    read = [t for folder in sorted(RECORDED.iterdir()) for t in read_trajectories(folder).trajectories]
    teachers = ["openai/Qwen3-Coder-Next-GGUF", "openai/gpt-oss-120b-GGUF"]
    kept, _ = matched(teachers, 0)(read)
    assert sorted((t.model, t.task) for t in kept) == [(teacher, "fix-git") for teacher in teachers]
