import random
from array import array
from dataclasses import replace

import pytest

from terminal_lego.rendering.control import random_turns
from terminal_lego.rendering.example import Example, Span


def example(id: str, lengths: list[int], untrained: tuple[int, ...] = ()) -> Example:
    """Turns of so many tokens, after ten that are read."""
    weights, spans = array("f"), []
    for turn, length in enumerate(lengths):
        for role, count, weight in (("user", 10, 0.0), ("assistant", length, float(turn not in untrained))):
            spans.append(Span(role, turn, len(weights), len(weights) + count))
            weights.extend([weight] * count)
    return Example(id, array("i", range(len(weights))), weights, tuple(spans))


def without(given: Example, tokens: int) -> Example:
    """As a mask of spans leaves it: the first so many trained tokens are hidden."""
    trained = [index for index, weight in enumerate(given.weights) if weight]
    weights = array("f", given.weights)
    for index in trained[:tokens]:
        weights[index] = 0.0
    return replace(given, weights=weights)


def data_set(seed: int, count: int = 200) -> list[tuple[Example, Example]]:
    draw = random.Random(seed)
    pairs = []
    for number in range(count):
        lengths = [draw.randint(20, 400) for _ in range(draw.randint(1, 12))]
        plain = example(f"{number}", lengths, untrained=(0,) if len(lengths) > 3 else ())
        pairs.append((plain, without(plain, draw.randint(0, plain.trained_tokens // 2))))
    return pairs


def controls(pairs: list[tuple[Example, Example]], seed: int) -> list[Example]:
    owed, found = 0, []
    for plain, reference in pairs:
        masked, owed = random_turns(plain, reference, seed=seed, owed=owed)
        found.append(masked)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_over_a_data_set_as_many_tokens_are_hidden(seed):
    pairs = data_set(seed)
    hidden = sum(plain.trained_tokens - reference.trained_tokens for plain, reference in pairs)
    found = controls(pairs, seed)
    ours = sum(
        plain.trained_tokens - each.trained_tokens for (plain, _), each in zip(pairs, found, strict=True)
    )
    assert hidden > 10_000
    assert ours == pytest.approx(hidden, rel=0.02)


def test_turns_stay_whole_and_something_is_trained():
    for (plain, _), masked in zip(data_set(1), controls(data_set(1), 1), strict=True):
        assert masked.trained_tokens > 0
        assert (masked.input_ids, masked.spans) == (plain.input_ids, plain.spans)
        for span in plain.spans:
            own, before = masked.weights[span.start : span.end], plain.weights[span.start : span.end]
            assert len(set(own)) == 1
            assert list(own) in (list(before), [0.0] * len(own))


def test_one_turn_is_left_however_much_is_owed():
    plain = example("x", [30, 40, 50])
    masked, owed = random_turns(plain, plain, seed=0, owed=10_000)
    assert len({span.turn for span in masked.spans if masked.weights[span.start]}) == 1
    assert owed == 10_000 - (plain.trained_tokens - masked.trained_tokens)
    assert random_turns(plain, without(plain, 40), seed=0, owed=-100) == (plain, -60)


def test_the_choice_depends_on_seed_and_conversation_alone():
    plain, other = example("x", [10] * 12), example("y", [10] * 12)

    def chosen(given: Example, seed: int) -> list[int]:
        masked, _ = random_turns(given, without(given, 50), seed=seed)
        return [
            span.turn for span in masked.spans if span.role == "assistant" and not masked.weights[span.start]
        ]

    assert chosen(plain, 3) == chosen(plain, 3)
    assert len(chosen(plain, 3)) == 5
    assert len({tuple(chosen(plain, seed)) for seed in range(10)}) > 5
    assert chosen(plain, 3) != chosen(other, 3)
