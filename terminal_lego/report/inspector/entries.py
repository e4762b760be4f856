"""From a selection to what the inspector shows of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from terminal_lego.curation import Selection
from terminal_lego.errors import UntrainableError
from terminal_lego.grounding.events import read_events
from terminal_lego.grounding.tor import DEFAULT, links, score
from terminal_lego.rendering.example import Example
from terminal_lego.rendering.masks import CONTEXT, TURN, MaskConfig
from terminal_lego.rendering.render import render_all
from terminal_lego.report.inspector.entry import Entry, ReplyTokens
from terminal_lego.trajectory import Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def entries(
    selection: Selection, mask: MaskConfig, tokenizer: "PreTrainedTokenizerBase | None" = None
) -> Iterator[Entry]:
    """One entry per trajectory: first the kept ones, then the dropped ones with their reason.

    Args:
        mask: shown on the tokens; replies that it takes out of the context are shown as masked.
        tokenizer: without one no tokens are shown.
    """
    if mask.unit == CONTEXT:
        mask = replace(mask, unit=TURN)
    if tokenizer is None:
        yield from map(_entry, selection.kept)
    else:
        rendered = render_all(selection.kept, tokenizer, mask)
        for _, group in groupby(rendered, key=lambda result: id(result[0])):
            given, results = zip(*group, strict=True)
            if isinstance(results[0], UntrainableError):
                yield replace(_entry(given[0]), dropped=results[0].reason)
            else:
                tokens = max(len(example.input_ids) for example in results)
                replies = reply_tokens(given[0], results, tokenizer)
                yield replace(_entry(given[0]), tokens=tokens, replies=replies)
    for drop in selection.dropped:
        yield replace(_entry(drop.trajectory), dropped=drop.reason)


def reply_tokens(
    trajectory: Trajectory, examples: Sequence[Example], tokenizer: "PreTrainedTokenizerBase"
) -> list[ReplyTokens]:
    """The tokens of each reply without its end of turn, as the renderer made them.

    A reply that has no example of its own is not trained; nor are tokens that stand in the prompt already.
    """
    texts = [turn.reply + tokenizer.eos_token for turn in trajectory.turns]
    encoded = tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
    weights = {
        span.turn: list(example.weights[span.start : span.end - 1])
        for example in examples
        for span in example.spans
        if span.role == "assistant"
    }
    shown = []
    for number, (turn, encoding) in enumerate(zip(trajectory.turns, encoded, strict=True)):
        lengths = _lengths(encoding.offsets[:-1], len(turn.reply))
        own = weights.get(number, [])
        shown.append(ReplyTokens(lengths, [0.0] * (len(lengths) - len(own)) + own))
    return shown


def _lengths(offsets: Sequence[tuple[int, int]], total: int) -> list[int]:
    """Characters that each token adds: of the tokens of one character the first adds it, what no token
    claims is the last one's."""
    lengths, done = [], 0
    for _, end in offsets:
        lengths.append(max(end - done, 0))
        done = max(done, end)
    if lengths:
        lengths[-1] += total - done
    return lengths


def _entry(trajectory: Trajectory) -> Entry:
    events = read_events(trajectory)
    return Entry(trajectory, events, links(events), score(events)[DEFAULT].ratio)
