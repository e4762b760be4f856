from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.curation.length import max_tokens, max_tokens_matched, per_task
from terminal_lego.errors import UntrainableError
from terminal_lego.trajectory import Turn


def by_text(trajectory):
    return trajectory.prompt


def tokens(trajectory):
    """As many as its extra says; -1 stands for one that cannot be taught from."""
    if trajectory.extra["tokens"] < 0:
        raise UntrainableError("turn 3 of it", "a reply holds control markup")
    return trajectory.extra["tokens"]


def test_too_long_goes_whole_and_untrainable_goes(make, reasons):
    given = [make("fits", tokens=1000), make("long", tokens=1001), make("bad", tokens=-1)]
    assert reasons(max_tokens(1000, tokens), given) == {
        "long": "longer than 1,000 tokens",
        "bad": "a reply holds control markup",
    }


def test_what_stays_is_never_cut(make):
    given = [make(str(n), tokens=n) for n in range(10)]
    for step in (max_tokens(5, tokens), max_tokens_matched(5, tokens, lambda t: t.id)):
        kept, dropped = step(given)
        assert kept == given[:6]
        assert [drop.trajectory for drop in dropped] == given[6:]
        assert all(trajectory.declared_done for trajectory in kept)


def test_matched_a_task_that_is_too_long_for_one_goes_for_all(make, reasons):
    given = [
        make("a1", "ann", text="one", tokens=9),
        make("b1", "bob", text="one", tokens=9),
        make("a2", "ann", text="two", tokens=9),
        make("b2", "bob", text="two", tokens=11),
        make("a3", "ann", text="three", tokens=-1),
        make("b3", "bob", text="three", tokens=11),
        make("a4", "ann", text="four", tokens=11),
        make("b4", "bob", text="four", tokens=11),
    ]
    both = "a reply holds control markup for ann; longer than 10 tokens for bob"
    assert reasons(max_tokens_matched(10, tokens, by_text), given) == {
        "a2": "longer than 10 tokens for bob",
        "b2": "longer than 10 tokens for bob",
        "a3": both,
        "b3": both,
        "a4": "longer than 10 tokens for ann, bob",
        "b4": "longer than 10 tokens for ann, bob",
    }


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 20), st.integers(0, 20)), max_size=10))
def test_matched_teachers_stay_matched(make, tasks):
    given = [
        make(f"{model}{n}", model, text=f"{text}{n}", tokens=count)
        for n, (text, *counts) in enumerate(tasks)
        for model, count in zip(("ann", "bob"), counts, strict=True)
    ]
    kept, _ = max_tokens_matched(10, tokens, by_text)(given)
    assert {t.prompt for t in kept if t.model == "ann"} == {t.prompt for t in kept if t.model == "bob"}
    assert len(kept) == 2 * sum(max(counts) <= 10 for _, *counts in tasks)


def turns(*sizes):
    return tuple(Turn("x" * size, "o") for size in sizes)


def test_shortest_and_longest_by_turns_then_characters_then_id(make, kept, reasons):
    given = [
        make("a", text="turns", turns=turns(99)),
        make("b", text="turns", turns=turns(1, 1)),
        make("c", text="characters", turns=turns(5, 5)),
        make("d", text="characters", turns=turns(5, 4)),
        make("e", text="id", turns=turns(5)),
        make("f", text="id", turns=turns(5)),
        make("g", text="alone", turns=turns(5)),
        make("h", "other", text="turns", turns=turns(5)),
    ]
    assert kept(per_task("shortest", by_text), given) == ["a", "d", "e"]
    assert kept(per_task("longest", by_text), given) == ["b", "c", "f"]
    dropped = reasons(per_task("longest", by_text), given)
    assert dropped["a"] == "not the longest of its task"
    assert dropped["g"] == dropped["h"] == "the only trajectory of its task"


@given(st.data())
def test_shortest_and_longest_are_of_the_same_tasks_whatever_the_order(make, data):
    drawn = data.draw(st.lists(st.tuples(st.sampled_from("tuv"), st.lists(st.integers(0, 3))), max_size=15))
    given = [make(str(n), text=text, turns=turns(*sizes)) for n, (text, sizes) in enumerate(drawn)]
    sets = [per_task(which, by_text)(given)[0] for which in ("shortest", "longest")]
    assert len(sets[0]) == len(sets[1])
    assert {t.prompt for t in sets[0]} == {t.prompt for t in sets[1]}
    assert not {t.id for t in sets[0]} & {t.id for t in sets[1]}
    again, _ = per_task("longest", by_text)(data.draw(st.permutations(given)))
    assert {t.id for t in again} == {t.id for t in sets[1]}
