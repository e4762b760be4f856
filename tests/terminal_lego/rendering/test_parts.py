"""Parts of a reply: which tokens they are, and that nothing of what is hidden is trained."""

from bisect import bisect_right
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

from terminal_lego.errors import RenderError, UntrainableError
from terminal_lego.rendering.example import Example, Span
from terminal_lego.rendering.masks import Part, TurnMask
from terminal_lego.rendering.render import render
from tests.terminal_lego.rendering.samples import TEXTS, TOKENIZERS, chat, small_tokenizer

REPLY = '{"commands": [{"keystrokes": "ls\\n"}, {"keystrokes": "rm é🦜\\n"}]}'
FIRST, SECOND = (REPLY.index('{"k'), REPLY.index("}, ") + 1), (REPLY.rindex('{"k'), REPLY.index("}]") + 1)
BYTE_OF = {character: byte for byte, character in bytes_to_unicode().items()}


def trimming_tokenizer() -> PreTrainedTokenizerFast:
    """The same ids as `small`, but the white space before a token is left out of its offsets."""
    tokenizer = small_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    return tokenizer


TRIMMING = trimming_tokenizer()


def characters(text: str, ids: list[int], tokenizer) -> list[set[int]]:
    """The characters that each token holds a byte of, without asking for offsets."""
    added = {token: form.content for token, form in tokenizer.added_tokens_decoder.items()}
    forms = [tokenizer.convert_ids_to_tokens(token) for token in ids]
    lengths = [
        len(added[token].encode()) if token in added else len(bytes(BYTE_OF[each] for each in form))
        for token, form in zip(ids, forms, strict=True)
    ]
    starts = [0, *accumulate(len(character.encode()) for character in text)]
    ends = list(accumulate(lengths))
    return [
        {bisect_right(starts, byte) - 1 for byte in range(end - length, end)}
        for end, length in zip(ends, lengths, strict=True)
    ]


@st.composite
def masked_replies(draw) -> tuple[str, TurnMask]:
    reply = "".join(draw(st.lists(TEXTS, max_size=4)))
    place = st.integers(0, len(reply))
    parts = draw(
        st.lists(st.tuples(place, place, st.sampled_from("ab"), st.sampled_from([0.0, 0.5, 1.0])), max_size=4)
    )
    turn = draw(st.sampled_from([1.0, 0.5]))
    return reply, TurnMask(turn, tuple(Part(*sorted((one, other)), *rest) for one, other, *rest in parts))


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(masked=masked_replies())
@settings(deadline=None, max_examples=300)
def test_a_token_is_hidden_exactly_when_it_holds_a_hidden_character(kind, masked):
    tokenizer, (reply, mask) = TOKENIZERS[kind], masked
    messages = chat(reply, "the last turn is trained")
    try:
        plain = render(messages, tokenizer, turns=[TurnMask(mask.weight), TurnMask()])
    except UntrainableError:  # the reply happens to spell a special token
        return
    example = render(messages, tokenizer, turns=[mask, TurnMask()])
    assert example.input_ids == plain.input_ids
    assert example.spans == plain.spans

    span = plain.spans[1]
    ids = list(example.input_ids[span.start : span.end])
    held = characters(reply + tokenizer.eos_token, ids, tokenizer)
    expected = list(plain.weights)
    for index, places in enumerate(held[:-1]):
        own = [part.weight for part in mask.parts if places & set(range(part.start, part.end))]
        expected[span.start + index] = mask.weight * min(own, default=1.0)
    assert list(example.weights) == expected


@given(masked=masked_replies())
@settings(deadline=None, max_examples=100)
def test_labelled_tokens_are_those_of_their_part_and_never_shared(masked):
    tokenizer, (reply, mask) = TOKENIZERS["small"], masked
    example = render(chat(reply, "trained"), tokenizer, turns=[mask, TurnMask()])
    span = example.spans[1]
    held = characters(reply + tokenizer.eos_token, list(example.input_ids[span.start : span.end]), tokenizer)
    ends = [span.start, *(part.end for part in example.parts)]
    for part, before in zip(example.parts, ends, strict=False):
        assert before <= part.start < part.end < span.end
        assert (part.role, part.turn) == ("assistant", 0)
        same = [range(each.start, each.end) for each in mask.parts if each.label == part.label]
        for places in held[part.start - span.start : part.end - span.start]:
            assert any(places & set(each) for each in same)
    labelled = sum(part.end - part.start for part in example.parts)
    covered = {place for part in mask.parts for place in range(part.start, part.end)}
    assert labelled == sum(bool(places & covered) for places in held[:-1])


@given(masked=masked_replies())
@settings(deadline=None, max_examples=200)
def test_offsets_without_white_space_hide_no_less(masked):
    reply, mask = masked
    turns = [mask, TurnMask()]
    exact = render(chat(reply, "trained"), TOKENIZERS["small"], turns=turns)
    trimmed = render(chat(reply, "trained"), TRIMMING, turns=turns)
    assert trimmed.input_ids == exact.input_ids
    assert all(one <= other for one, other in zip(trimmed.weights, exact.weights, strict=True))


def shown(example: Example, tokenizer, spans: tuple[Span, ...]) -> list[tuple[str, str]]:
    return [(span.label, tokenizer.decode(example.input_ids[span.start : span.end])) for span in spans]


def test_commands_are_named_and_only_the_hidden_one_loses_its_loss():
    tokenizer = small_tokenizer()
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("{", "isolated"),
            pre_tokenizers.Split("}", "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    parts = (Part(*SECOND, "action"), Part(*FIRST, "observation", 0.0))
    example = render(chat("read"[:0], REPLY), tokenizer, turns=[TurnMask(0.0), TurnMask(parts=parts)])
    assert shown(example, tokenizer, example.parts) == [
        ("observation", REPLY[slice(*FIRST)]),
        ("action", REPLY[slice(*SECOND)]),
    ]
    trained = [token for token, weight in zip(example.input_ids, example.weights, strict=True) if weight]
    assert tokenizer.decode(trained) == REPLY[: FIRST[0]] + REPLY[FIRST[1] :] + "<end>"
    assert [part.turn for part in example.parts] == [1, 1]


def test_a_token_across_a_border_is_hidden_and_the_end_of_turn_is_not():
    tokenizer = TOKENIZERS["small"]  # "the terminal" is one token of it
    example = render(chat("the terminal"), tokenizer, turns=[TurnMask(parts=(Part(0, 3, "a", 0.0),))])
    assert tokenizer.decode(example.labels[-1:]) == "<end>"
    assert example.trained_tokens == 1
    everything = TurnMask(0.5, (Part(0, 12, "a", 0.0),))
    assert list(render(chat("the terminal"), tokenizer, turns=[everything]).weights[-2:]) == [0, 0.5]


def test_an_empty_part_is_nothing():
    tokenizer = TOKENIZERS["small"]
    for place in (0, 3, 12):
        turns = [TurnMask(parts=(Part(place, place, "a", 0.0),))]
        assert render(chat("the terminal"), tokenizer, turns=turns) == render(chat("the terminal"), tokenizer)


@pytest.mark.parametrize("part", [Part(0, 4, "a"), Part(2, 1, "a"), Part(-1, 2, "a")])
def test_a_part_outside_its_reply_is_refused(part):
    with pytest.raises(RenderError, match=r"x: turn 1 has 3 characters, its part .* lies outside"):
        render(chat("first", "abc"), TOKENIZERS["small"], id="x", turns=[TurnMask(), TurnMask(parts=(part,))])
