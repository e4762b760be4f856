"""One rendered example for the terminal: every token, and whether the student learns to write it.

Marks are written into the text, as word diffs do it, so that they are there without colour too:
`{+trained+}` and `[-hidden-]`; what the student only reads is bare. With colour, neighbouring tokens
differ in shade.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from terminal_lego.rendering.example import Example
from terminal_lego.report.safe_text import visible

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_READ, _TRAINED, _HIDDEN = "read", "trained", "hidden in replies"
_MARKS = {_READ: ("", ""), _TRAINED: ("{+", "+}"), _HIDDEN: ("[-", "-]")}
_SHADES = {
    _READ: ("dim", "dim"),
    _TRAINED: ("bold green", "bold bright_green"),
    _HIDDEN: ("yellow", "bright_yellow"),
}
_SPECIAL = " reverse"


class _Token(NamedTuple):
    text: str
    part: str
    weight: float
    is_special: bool


def masked_text(example: Example, tokenizer: "PreTrainedTokenizerBase") -> Text:
    """A legend with counts, then the conversation as the student sees it, special tokens included.

    A weight other than 1 stands in front of what it holds for: `{+0.5 trained+}`.
    """
    tokens = list(_tokens(example, tokenizer))
    shown = Text(f"{visible(example.id)}\n{len(tokens):,} tokens: ")
    for place, part in enumerate((_TRAINED, _HIDDEN, _READ)):
        count = sum(token.part == part for token in tokens)
        shown.append(", " if place else "").append(part.join(_MARKS[part]), _SHADES[part][0]).append(
            f" {count:,}"
        )
    shown.append("\n\n")
    for (part, weight), run in groupby(tokens, key=lambda token: (token.part, token.weight)):
        before, after = _MARKS[part]
        factor = f"{weight:.4g} " if weight not in (0, 1) else ""
        shown.append(before + factor, _SHADES[part][0])
        for place, token in enumerate(run):
            shown.append(token.text, _SHADES[part][place % 2] + _SPECIAL * token.is_special)
        shown.append(after, _SHADES[part][0])
    return shown


def _tokens(example: Example, tokenizer: "PreTrainedTokenizerBase") -> Iterator[_Token]:
    added = tokenizer.added_tokens_decoder.items()
    specials = {token for token, form in added if form.special} | set(tokenizer.all_special_ids)
    for span in example.spans:
        ids = list(example.input_ids[span.start : span.end])
        weights = example.weights[span.start : span.end]
        for token, text, weight in zip(ids, _texts(ids, tokenizer), weights, strict=True):
            part = _TRAINED if weight else _HIDDEN if span.role == "assistant" else _READ
            yield _Token(visible(text), part, weight, token in specials)


def _texts(ids: list[int], tokenizer: "PreTrainedTokenizerBase") -> Iterator[str]:
    """What each token adds to the text; a character of several tokens comes with its last."""
    from tokenizers.decoders import DecodeStream

    core = tokenizer.backend_tokenizer
    stream = DecodeStream(skip_special_tokens=False)
    held = 0
    for index, token in enumerate(ids):
        text = stream.step(core, token)
        held = 0 if text else held + 1
        is_last = index == len(ids) - 1
        yield (
            core.decode(ids[len(ids) - held :], skip_special_tokens=False) if is_last and held else text or ""
        )
