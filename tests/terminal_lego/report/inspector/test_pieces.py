from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.report.inspector import ReplyTokens
from terminal_lego.report.inspector.pieces import Mark, runs
from terminal_lego.report.safe_text import visible

TEXTS = st.text(st.sampled_from('ab \n"é🦊\x1b\u202e'), max_size=30)


@st.composite
def cut_texts(draw) -> tuple[str, list[Mark], ReplyTokens]:
    text = draw(TEXTS)
    places = st.integers(0, len(text))
    marks = [Mark(*sorted((draw(places), draw(places))), event) for event in range(draw(st.integers(0, 4)))]
    ends = [*sorted(draw(st.lists(places, max_size=12))), len(text)]
    lengths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    weights = [draw(st.sampled_from([0.0, 0.5, 1.0])) for _ in lengths]
    return text, marks, ReplyTokens(lengths, weights)


def spelled(found: list) -> list[tuple[str, float, int, int | None]]:
    """(text, weight, continued, event) of each piece."""
    parts = [(part, event) for event, pieces in found for part in pieces]
    return [(*((part, 1.0, 0) if isinstance(part, str) else part), event) for part, event in parts]


@given(cut_texts())
def test_pieces_spell_the_text_with_the_weight_and_the_command_of_every_character(case):
    text, marks, tokens = case
    pieces = spelled(runs(text, marks, tokens))
    assert "".join(piece for piece, *_ in pieces) == visible(text)
    seen = [(weight, event) for piece, weight, _, event in pieces for _ in piece]
    weights = [w for length, w in zip(tokens.lengths, tokens.weights, strict=True) for _ in range(length)]
    expected = []
    for place, character in enumerate(text):
        over = [mark for mark in marks if mark.start <= place < mark.end]
        owner = min(over, key=lambda mark: mark.end - mark.start).event if over else None
        expected += [(weights[place], owner)] * len(visible(character))
    assert seen == expected


@given(cut_texts())
def test_a_token_begins_once_however_often_it_is_cut(case):
    text, marks, tokens = case
    begun = [piece for piece in spelled(runs(text, marks, tokens)) if not piece[2]]
    assert len(begun) == sum(length > 0 for length in tokens.lengths)


def test_a_token_over_a_border_is_continued_behind_it():
    assert runs("cat a", [Mark(2, 4, 7)], ReplyTokens([3, 2], [1.0, 0.0])) == [
        [None, ["ca"]],
        [7, [["t", 1.0, 1], [" ", 0.0, 0]]],
        [None, [["a", 0.0, 1]]],
    ]


def test_the_inner_of_two_commands_owns_its_text():
    found = runs("a $(b) c", [Mark(0, 8, 0), Mark(4, 5, 1)], ReplyTokens([8], [1.0]))
    assert [event for event, _ in found] == [0, 1, 0]


def test_an_empty_text_has_no_piece():
    assert runs("", [], ReplyTokens([0], [1.0])) == []
