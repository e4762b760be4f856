from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from terminal_lego.rendering.coverage import Coverage, CoverageRow, alarm, coverage, coverage_table
from terminal_lego.rendering.example import Example, Span
from terminal_lego.rendering.masks import MaskConfig


def example(*turns: tuple[int, int, float]) -> Example:
    """Each turn reads, writes so many tokens, at a weight."""
    spans, weights = [], []
    for turn, (read, written, weight) in enumerate(turns):
        for role, count, each in (("user", read, 0.0), ("assistant", written, weight)):
            spans.append(Span(role, turn, len(weights), len(weights) + count))
            weights += [each] * count
    return Example("x", list(range(len(weights))), weights, tuple(spans))


def test_tokens_are_counted_by_role_and_by_turn():
    rows = coverage([example((10, 4, 1.0), (5, 6, 0.0)), example((2, 3, 0.5))])
    assert [(row.part, row.tokens, row.trained) for row in rows] == [
        ("all tokens", 30, 7),
        ("user", 17, 0),
        ("assistant", 13, 7),
        ("assistant turn 1", 7, 7),
        ("assistant turn 2", 6, 0),
    ]
    assert rows[0].share == pytest.approx(7 / 30)


def test_late_turns_are_gathered():
    rows = coverage([example(*[(1, 1, 1.0)] * 10)])
    assert [row.part for row in rows[3:]] == [
        *(f"assistant turn {number}" for number in range(1, 9)),
        "assistant turns after 8",
    ]
    assert (rows[-1].tokens, rows[-1].trained) == (2, 2)


def test_the_table_shows_every_part_and_nothing_is_no_fault():
    console = Console(width=80, record=True, file=StringIO())
    console.print(coverage_table(coverage([example((1500, 500, 1.0))])))
    shown = console.export_text()
    assert "2,000" in shown
    assert "25.0%" in shown
    assert coverage([]) == []
    assert CoverageRow("none", 0, 0).share == 0


def test_replies_are_told_apart_by_the_kind_of_command():
    plain = example((10, 8, 1.0), (5, 6, 0.0))
    parts = (
        Span("assistant", 0, 11, 13, "observation"),
        Span("assistant", 0, 14, 17, "action"),
        Span("assistant", 1, 24, 28, "observation"),
    )
    rows = coverage([replace(plain, parts=parts), example((1, 2, 1.0))])
    assert [(row.part, row.tokens, row.trained) for row in rows if "turn" not in row.part][3:] == [
        ("action commands", 3, 3),
        ("observation commands", 6, 2),
        ("reply text", 7, 5),
    ]


def test_examples_are_counted_as_they_come():
    counted = Coverage()
    assert counted.rows() == []
    examples = [example((3, 2, 1.0)), example((1, 4, 0.0), (2, 2, 1.0))]
    for number, each in enumerate(examples, 1):
        counted.add(each)
        assert counted.rows() == coverage(iter(examples[:number]))


@pytest.mark.parametrize(
    ("least", "most", "fine"), [(0, 1, True), (0.2, 0.3, True), (0.3, 1, False), (0, 0.2, False)]
)
def test_an_unexpected_share_raises_the_alarm(least, most, fine):
    told = alarm(coverage([example((75, 25, 1.0))]), MaskConfig(least=least, most=most))
    if fine:
        assert told is None
    else:
        assert told.startswith(
            f"25.0% of all tokens would be trained, outside the expected {least:.1%} to {most:.1%}:"
        )
        assert "mask.hide" in told
        assert "\n" not in told


def test_nothing_counted_is_no_alarm():
    assert alarm([], MaskConfig(least=0.5)) is None
