"""From a conversation to token ids and loss weights.

The weights come from where the template puts each message, never from a search for strings in the
rendered text. The text is cut where generation starts and where a turn ends (`template.py`), and each
piece is tokenised by itself, so a token never spans a boundary between what the model reads and what it
writes: what the server puts in front of turn k is what the student was trained on.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from terminal_lego.errors import RenderError, UntrainableError
from terminal_lego.rendering.control import random_turns
from terminal_lego.rendering.encoding import Chat, Encoded, encode, encode_ahead
from terminal_lego.rendering.example import IGNORED, Example, Span
from terminal_lego.rendering.masks import MaskConfig, MaskedTrajectory, TurnMask, mask, whole
from terminal_lego.rendering.offsets import Offsets
from terminal_lego.rendering.template import cut
from terminal_lego.trajectory import Message, Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["IGNORED", "Example", "Span", "render", "render_all", "render_trajectory"]


def render_all(
    trajectories: Iterable[Trajectory], tokenizer: "PreTrainedTokenizerBase", config: MaskConfig
) -> Iterator[tuple[Trajectory, Example | UntrainableError]]:
    """Masks and renders one trajectory after the other; yields each as it was given, with what came of it."""
    owed = 0
    chats = _chats(trajectories, tokenizer, config)
    for (trajectory, masked), chat, encoded in encode_ahead(chats, tokenizer.backend_tokenizer):
        try:
            example = _example(chat, encoded, tokenizer)
            if config.random:
                turns = _without_copied(trajectory, whole(masked.turns))
                plain = _example(chat._replace(turns=turns), encoded, tokenizer)
                example, owed = random_turns(plain, example, seed=config.seed, owed=owed)
        except UntrainableError as error:
            yield trajectory, error
        else:
            yield trajectory, example


def _chats(
    trajectories: Iterable[Trajectory], tokenizer: "PreTrainedTokenizerBase", config: MaskConfig
) -> Iterator[tuple[tuple[Trajectory, MaskedTrajectory], Chat]]:
    for trajectory in trajectories:
        masked = mask(trajectory, config)
        left = masked.trajectory
        turns = _without_copied(left, masked.turns)
        yield (trajectory, masked), _chat(left.messages(), tokenizer, left.id, turns)


def render_trajectory(
    trajectory: Trajectory, tokenizer: "PreTrainedTokenizerBase", turns: Sequence[TurnMask] | None = None
) -> Example:
    """Renders a trajectory; copied turns are read, not trained."""
    turns = [TurnMask()] * len(trajectory.turns) if turns is None else turns
    turns = _without_copied(trajectory, turns)
    return render(trajectory.messages(), tokenizer, id=trajectory.id, turns=turns)


def _without_copied(trajectory: Trajectory, turns: Sequence[TurnMask]) -> list[TurnMask]:
    """Masks as given, with nothing trained of what another agent wrote before."""
    masks = list(turns)
    for index, turn in enumerate(trajectory.turns[: len(masks)]):
        if turn.is_copied:
            masks[index] = replace(masks[index], weight=0.0)
    return masks


def render(
    messages: Sequence[Message],
    tokenizer: "PreTrainedTokenizerBase",
    *,
    id: str = "",
    turns: Sequence[TurnMask] | None = None,
) -> Example:
    """Renders a chat through the tokenizer's own template.

    Args:
        messages: user and assistant alternating, ending with an assistant message.
        tokenizer: one with a Rust backend (`is_fast`).
        turns: one mask per assistant turn; without it all is trained. A turn's weight holds for its
            content and its end-of-turn token, a part's is a factor on it for every token that holds a
            character of the part; of several the smallest counts.

    Raises:
        RenderError: the template does not keep prefixes, does not close a turn with the end-of-turn
            token, or alters a reply; a mask does not fit the conversation.
        UntrainableError: nothing would be trained, or a reply cannot be trained as it was written: the
            tokenizer loses some of it, or reads a special token where the teacher wrote plain text. (On
            the reading side such text stays: the server's tokenizer reads it the same way.)
    """
    chat = _chat(messages, tokenizer, id, turns)
    return _example(chat, encode(chat, tokenizer.backend_tokenizer), tokenizer)


def _chat(
    messages: Sequence[Message],
    tokenizer: "PreTrainedTokenizerBase",
    id: str,
    turns: Sequence[TurnMask] | None,
) -> Chat:
    replies = sum(message["role"] == "assistant" for message in messages)
    turns = [TurnMask()] * replies if turns is None else turns
    if len(turns) != replies:
        raise RenderError(f"{id}: {len(turns)} turn masks for {replies} assistant turns; give one each.")
    texts = [piece.text for piece in cut(messages, tokenizer, id)]
    return Chat(id, texts[::2], texts[1::2], turns)


def _example(chat: Chat, encoded: Encoded, tokenizer: "PreTrainedTokenizerBase") -> Example:
    _check_replies(chat, encoded.written, tokenizer)
    input_ids, weights = array("i"), array("f")
    spans: list[Span] = []
    parts: list[Span] = []
    for turn, (own, read, ids) in enumerate(zip(chat.turns, encoded.read, encoded.written, strict=True)):
        start = len(input_ids) + len(read)
        end = start + len(ids)
        spans += (Span("user", turn, len(input_ids), start), Span("assistant", turn, start, end))
        input_ids += array("i", read)
        input_ids += array("i", ids)
        weights.extend(array("f", [0.0]) * len(read))
        weights.extend(array("f", [own.weight]) * len(ids))
        if own.parts:
            length = len(chat.written[turn]) - len(tokenizer.eos_token)
            _check_parts(own, length, f"{chat.id}: turn {turn}")
            weights[start:end] = _part_weights(own, encoded.offsets[turn])
            parts += _part_spans(own, encoded.offsets[turn], turn, start)
    if not any(weights):
        raise UntrainableError(
            f"{chat.id}: no token would be trained; the mask leaves nothing of {len(chat.turns)} turns.",
            "nothing to train",
        )
    return Example(chat.id, input_ids, weights, tuple(spans), tuple(parts))


def _check_replies(chat: Chat, ids: Sequence[list[int]], tokenizer: "PreTrainedTokenizerBase") -> None:
    """The ids of a trained reply must be its text, the last the end of turn, and no other a special one."""
    added = tokenizer.added_tokens_decoder.items()
    specials = {token for token, form in added if form.special} | set(tokenizer.all_special_ids)
    # One by one: a batch would wait for the cores while the next conversations are encoded.
    decode = tokenizer.backend_tokenizer.decode
    for index, (text, own) in enumerate(zip(chat.written, ids, strict=True)):
        if not chat.turns[index].weight:
            continue
        place = f"{chat.id}: turn {index}"
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
