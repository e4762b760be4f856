"""The control of a mask: random turns with as many tokens. What the mask does beyond it is its meaning."""

import random
from array import array
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
