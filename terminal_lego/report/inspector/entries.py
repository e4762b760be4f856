"""From a selection to what the inspector shows of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
        for trajectory, example in render_all(selection.kept, tokenizer, mask):
            if isinstance(example, UntrainableError):
                yield replace(_entry(trajectory), dropped=example.reason)
            else:
                replies = reply_tokens(trajectory, example, tokenizer)
                yield replace(_entry(trajectory), tokens=len(example.input_ids), replies=replies)
    for drop in selection.dropped:
        yield replace(_entry(drop.trajectory), dropped=drop.reason)


def reply_tokens(
    trajectory: Trajectory, example: Example, tokenizer: "PreTrainedTokenizerBase"
) -> list[ReplyTokens]:
    """The tokens of each reply without its end of turn, as the renderer made them."""
    texts = [turn.reply + tokenizer.eos_token for turn in trajectory.turns]
    encoded = tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
    spans = [span for span in example.spans if span.role == "assistant"]
    return [
        ReplyTokens(
            _lengths(encoding.offsets[:-1], len(turn.reply)), example.weights[span.start : span.end - 1]
        )
        for turn, encoding, span in zip(trajectory.turns, encoded, spans, strict=True)
    ]


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
