"""Too long: dropped whole, or cut after a whole reply; and what that does to how conversations end."""

from array import array
from math import isnan

from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.rendering.example import DONE, Example, Span
from terminal_lego.rendering.length import CUT, DROP, LENGTHS, LengthReport, ends_done, fit
from terminal_lego.rendering.render import render_turns
from terminal_lego.rendering.thinking import LAST_TURN
from tests.terminal_lego.rendering.students import student
from tests.train.scripted import conversations


@st.composite
def examples(draw) -> Example:
    """Made of lengths alone: what is read, the reply, its weight, whether it is the end, a part of it."""
    turn = st.tuples(st.integers(1, 5), st.integers(2, 6), st.sampled_from([0.0, 0.5, 1.0]), st.booleans())
    turns = draw(st.lists(turn, min_size=1, max_size=5).filter(lambda made: any(turn[2] for turn in made)))
    weights, spans, parts = array("f"), [], []
    for number, (read, reply, weight, done) in enumerate(turns):
        start = len(weights) + read
        spans.append(Span("user", number, len(weights), start))
        spans.append(Span("assistant", number, start, start + reply, DONE if done else ""))
        parts.append(Span("assistant", number, start, start + 1, "action"))
        weights.extend([0.0] * read + [0.0] + [weight] * (reply - 1))
    return Example("x", array("i", range(len(weights))), weights, tuple(spans), tuple(parts))


LIMITS = st.integers(1, 60)


@given(examples(), LIMITS, st.sampled_from(LENGTHS))
def test_every_trained_reply_is_whole_or_gone(example, limit, policy):
    fitted = fit(example, limit, policy)
    if len(example.input_ids) <= limit:
        assert fitted is example
        return
    if policy == DROP:
        assert fitted is None
        return
    fitting = [span.end for span in example.spans if span.role == "assistant" and span.end <= limit]
    end = max(fitting, default=0)
    if fitted is None:
        assert not any(example.weights[:end])
        return
    assert len(fitted.input_ids) == len(fitted.weights) == fitted.spans[-1].end == end <= limit
    assert fitted.spans[-1].role == "assistant"
    assert fitted.trained_tokens
    assert fitted.input_ids == example.input_ids[:end]
    assert fitted.weights == example.weights[:end]
    assert fitted.spans == example.spans[: len(fitted.spans)]
    assert [part.turn for part in fitted.parts] == [span.turn for span in fitted.spans[::2]]


@given(st.lists(st.tuples(examples(), LIMITS), max_size=6), st.sampled_from(LENGTHS))
def test_the_report_counts_what_became_of_each(given, policy):
    report = LengthReport()
    pairs = [(example, fit(example, limit, policy)) for example, limit in given]
    for pair in pairs:
        report.add(*pair)
    kept = [(before, after) for before, after in pairs if after is not None]
    assert report.examples == len(given)
    assert report.dropped == len(given) - len(kept)
    assert report.over == sum(len(example.input_ids) > limit for example, limit in given)
    assert report.done == sum(ends_done(before) for before, _ in pairs)
    assert report.dropped_done == sum(ends_done(before) for before, after in pairs if after is None)
    if not kept:
        assert isnan(report.share_kept) and isnan(report.share_kept_given)
        return
    assert report.share_kept_given == sum(ends_done(before) for before, _ in kept) / len(kept)
    lost = sum(ends_done(before) and not ends_done(after) for before, after in kept)
    assert report.cut_done == lost
    if policy == DROP:
        assert lost == 0
        assert report.share_kept == report.share_kept_given == sum(ends_done(e) for _, e in kept) / len(kept)


def one(*turns: tuple[float, str]) -> Example:
    """Replies of two tokens after one that is read, with weight and label."""
    weights = array("f", [each for weight, _ in turns for each in (0.0, weight, weight)])
    spans = [
        span
        for turn, (_, label) in enumerate(turns)
        for span in (
            Span("user", turn, 3 * turn, 3 * turn + 1),
            Span("assistant", turn, 3 * turn + 1, 3 * turn + 3, label),
        )
    ]
    return Example("x", array("i", range(len(weights))), weights, tuple(spans))


def test_an_example_ends_with_its_last_trained_reply():
    assert ends_done(one((1, ""), (1, DONE)))
    assert ends_done(one((1, DONE), (0, "")))
    assert not ends_done(one((1, DONE), (1, "")))
    assert not ends_done(one((1, ""), (0, DONE)))


def test_cutting_loses_the_end_and_says_so():
    report = LengthReport()
    for example in (
        one((1, ""), (1, DONE)),
        one((1, DONE), (1, DONE)),
        one((1, ""), (1, "")),
        one((1, DONE)),
    ):
        report.add(example, fit(example, 5, CUT))
    assert (report.over, report.dropped, report.done, report.cut_done) == (3, 0, 3, 1)
    assert (report.share_given, report.share_kept_given, report.share_kept) == (0.75, 0.75, 0.5)
    assert str(report) == (
        "3 of 4 examples are too long: 0 dropped (0 of them end in task_complete), 3 cut (1 lost that turn). "
        "Examples that end in task_complete: 75.0% of all, 50.0% of those trained."
    )


def test_nothing_is_left_where_only_untrained_replies_fit():
    assert fit(one((0, ""), (1, DONE)), 5, CUT) is None
    assert fit(one((1, ""), (1, DONE)), 2, CUT) is None


def test_an_example_of_one_turn_is_never_cut():
    (trajectory,) = conversations(1)
    for example in render_turns(trajectory, student("ours", LAST_TURN), thinking=LAST_TURN):
        assert fit(example, len(example.input_ids), CUT) is example
        assert fit(example, len(example.input_ids) - 1, CUT) is None
