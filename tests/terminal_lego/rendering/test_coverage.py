from io import StringIO

import pytest
from rich.console import Console

from terminal_lego.rendering.coverage import Coverage, coverage, coverage_table
from terminal_lego.rendering.render import Example, Span


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
    assert Coverage("none", 0, 0).share == 0
