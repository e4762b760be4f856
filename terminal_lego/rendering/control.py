"""The control of a mask: random turns with as many tokens. What the mask does beyond it is its meaning."""

import random
from array import array
from collections.abc import Sequence
from dataclasses import replace

from terminal_lego.rendering.example import Example, Span


def random_turns(plain: Example, reference: Example, *, seed: int, owed: int = 0) -> tuple[Example, int]:
    """Masks whole turns of `plain` until it has lost about what `reference` lost, and `owed` more.

    Turns are tried in an order that depends on `seed` and the conversation's id alone. At least one stays.

    Args:
        plain: the conversation with every turn trained that may be.
        reference: the same under the mask that is to be matched.
        owed: tokens that earlier conversations are short of (negative: have masked too many).

    Returns:
        The masked conversation, and the tokens owed now.
    """
    target = plain.trained_tokens - reference.trained_tokens + owed
    turns = [span for span in plain.spans if plain.weights[span.start]]
    random.Random(f"{seed} {plain.id}").shuffle(turns)
    masked: list[Span] = []
    missing = target
    for span in turns:
        if len(masked) < len(turns) - 1 and abs(missing - (span.end - span.start)) < abs(missing):
            masked.append(span)
            missing -= span.end - span.start
    weights = array("f", plain.weights)
    for span in masked:
        weights[span.start : span.end] = array("f", [0.0]) * (span.end - span.start)
    return replace(plain, weights=weights), missing


def random_examples(
    plain: Sequence[Example], reference: Sequence[Example], *, id: str, seed: int, owed: int = 0
) -> tuple[list[Example], int]:
    """As `random_turns`, of a conversation that is one example per trained turn: a masked turn has none."""
    replies, owed = random_turns(_replies(plain, id), _replies(reference, id), seed=seed, owed=owed)
    kept = {span.turn for span in replies.spans if replies.weights[span.start]}
    return [example for example in plain if example.spans[-1].turn in kept], owed


def _replies(examples: Sequence[Example], id: str) -> Example:
    """The last reply of each, one after the other."""
    ids, weights = array("i"), array("f")
    spans: list[Span] = []
    for example in examples:
        last = example.spans[-1]
        spans.append(Span("assistant", last.turn, len(ids), len(ids) + last.end - last.start))
        ids.extend(example.input_ids[last.start : last.end])
        weights.extend(example.weights[last.start : last.end])
    return Example(id, ids, weights, tuple(spans))
