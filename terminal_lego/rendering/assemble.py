"""Tokens and loss weights of conversations that are cut into what is read and what is written."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from terminal_lego.errors import RenderError, UntrainableError
from terminal_lego.rendering.encoding import Chat, Encoded
from terminal_lego.rendering.encoding import encode as encode_chat
from terminal_lego.rendering.example import Example, Span
from terminal_lego.rendering.masks import TurnMask
from terminal_lego.rendering.offsets import Offsets
from terminal_lego.rendering.template import Piece

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class EncodedTurn(NamedTuple):
    """What is read before a reply, and the reply with its end of turn, as tokens.

    `offsets` are the characters of each token of the reply, where its mask needs them.
    """

    number: int
    mask: TurnMask
    read: list[int]
    reply: list[int]
    offsets: Offsets | None


def encode(
    pieces: Sequence[Piece], turns: Sequence[TurnMask], tokenizer: "PreTrainedTokenizerBase", id: str
) -> list[EncodedTurn]:
    """Tokenises each piece by itself; `turns` has the mask of each reply.

    Raises:
        RenderError: a mask does not fit its reply, a reply does not end with the end-of-turn token.
        UntrainableError: a reply cannot be trained as it was written.
    """
    chat = as_chat(pieces, turns, id)
    numbers = [piece.turn for piece in pieces[1::2]]
    return encoded_turns(chat, encode_chat(chat, tokenizer.backend_tokenizer), tokenizer, numbers)


def as_chat(pieces: Sequence[Piece], turns: Sequence[TurnMask], id: str) -> Chat:
    texts = [piece.text for piece in pieces]
    return Chat(id, texts[::2], texts[1::2], turns)


def encoded_turns(
    chat: Chat, encoded: Encoded, tokenizer: "PreTrainedTokenizerBase", numbers: Sequence[int] | None = None
) -> list[EncodedTurn]:
    """The checked turns of a chat that was encoded; `numbers` of its turns, by default counted from 0.

    Raises as `encode`.
    """
    numbers = range(len(chat.written)) if numbers is None else numbers
    turns = list(map(EncodedTurn, numbers, chat.turns, *encoded))
    _check_replies(chat.written, turns, tokenizer, chat.id)
    for turn, text in zip(turns, chat.written, strict=True):
        _check_parts(turn.mask, len(text) - len(tokenizer.eos_token), f"{chat.id}: turn {turn.number}")
    return turns


def join(turns: Sequence[EncodedTurn], id: str) -> Example:
    """One sequence of all these turns, each beginning where the one before ends."""
    input_ids, weights = array("i"), array("f")
    spans: list[Span] = []
    parts: list[Span] = []
    for number, mask, read, reply, offsets in turns:
        start = len(input_ids) + len(read)
        end = start + len(reply)
        spans += (Span("user", number, len(input_ids), start), Span("assistant", number, start, end))
        input_ids += array("i", read)
        input_ids += array("i", reply)
        weights.extend(array("f", [0.0]) * len(read))
        if mask.parts:
            weights.extend(_part_weights(mask, offsets))
            parts += _part_spans(mask, offsets, number, start)
        else:
            weights.extend(array("f", [mask.weight]) * len(reply))
    return Example(id, input_ids, weights, tuple(spans), tuple(parts))


def _check_replies(
    texts: Sequence[str], turns: Sequence[EncodedTurn], tokenizer: "PreTrainedTokenizerBase", id: str
) -> None:
    """The ids of a trained reply must be its text, the last the end of turn, and no other a special one."""
    added = tokenizer.added_tokens_decoder.items()
    specials = {token for token, form in added if form.special} | set(tokenizer.all_special_ids)
    # One by one: a batch would wait for the cores while the next conversations are encoded.
    decode = tokenizer.backend_tokenizer.decode
    for turn, text in zip(turns, texts, strict=True):
        if not turn.mask.weight:
            continue
        own = turn.reply
        place = f"{id}: turn {turn.number}"
        if own[-1] != tokenizer.eos_token_id:
            raise RenderError(
                f"{place} ends with {tokenizer.decode(own[-1:])!r}, not with the end-of-turn token "
                f"{tokenizer.eos_token!r}; set eos_token to what the template ends a turn with."
            )
        if not specials.isdisjoint(own[:-1]):
            special = next(token for token in own if token in specials)
            raise UntrainableError(
                f"{place} holds the text {tokenizer.decode([special])!r}, which the tokenizer reads as a "
                "special token; a student cannot learn to write it as text.",
                "a reply holds the text of a special token",
            )
        if decode(own, skip_special_tokens=False) != text:
            raise UntrainableError(
                f"{place} comes back from the tokenizer as other text; a reply must be trained exactly as "
                "it was written.",
                "the tokenizer alters a reply",
            )


def _check_parts(turn: TurnMask, length: int, place: str) -> None:
    for part in turn.parts:
        if not 0 <= part.start <= part.end <= length:
            raise RenderError(
                f"{place} has {length} characters, its part [{part.start}, {part.end}) lies outside; "
                "read the parts from this very reply."
            )


def _part_weights(turn: TurnMask, offsets: Offsets) -> "array[float]":
    weights = array("f", [turn.weight]) * len(offsets.ends)
    for part in sorted(turn.parts, key=lambda part: -part.weight):
        start, end = _tokens(offsets, part.start, part.end)
        if part.weight != 1:
            weights[start:end] = array("f", [turn.weight * part.weight]) * (end - start)
    weights[-1] = turn.weight  # the end of turn belongs to no part
    return weights


def _part_spans(turn: TurnMask, offsets: Offsets, number: int, shift: int) -> Iterator[Span]:
    """A token that two parts share is the first one's."""
    done = 0
    for part in sorted(turn.parts, key=lambda part: part.start):
        start, end = _tokens(offsets, part.start, part.end)
        start, end = max(start, done), min(end, len(offsets.ends) - 1)
        if start < end:
            yield Span("assistant", number, shift + start, shift + end, part.label)
            done = end


def _tokens(offsets: Offsets, start: int, end: int) -> tuple[int, int]:
    """The tokens that hold any of the characters `[start, end)`, as a range of indices."""
    starts, ends = offsets
    first = bisect_right(ends, start)
    last = bisect_left(starts, end)
    if start == end:
        return first, first
    # Some tokenizers leave white space out of the offsets: the token on either side may spell it.
    if first and (first == len(ends) or starts[first] > start):
        first -= 1
    if last < len(ends) and ends[max(last - 1, 0)] < end:
        last += 1
    return first, last
