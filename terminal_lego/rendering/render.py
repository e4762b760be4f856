"""From a conversation to token ids and loss weights.

The weights come from where the template puts each message, never from a search for strings in the
rendered text. The text is cut where generation starts and where a turn ends (`template.py`), and each
piece is tokenised by itself, so a token never spans a boundary between what the model reads and what it
writes: what the server puts in front of turn k is what the student was trained on.

Where one sequence can hold that for all turns, a conversation is one example. Where it cannot (the template
rewrites earlier messages, or thoughts are read by no later turn), it is one example per trained turn.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from terminal_lego.errors import RenderError, UntrainableError
from terminal_lego.rendering.assemble import as_chat, encode, encoded_turns, join
from terminal_lego.rendering.control import random_examples, random_turns
from terminal_lego.rendering.encoding import Chat, encode_ahead
from terminal_lego.rendering.example import DONE, IGNORED, Example, Span
from terminal_lego.rendering.masks import MaskConfig, MaskedTrajectory, TurnMask, mask, whole
from terminal_lego.rendering.template import Piece, cut, keeps_prefixes, read_and_written, renders_by_turn
from terminal_lego.rendering.thinking import LAST_TURN, OFF, history, shifted, spoken, written
from terminal_lego.trajectory import Message, Trajectory, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = [
    "IGNORED",
    "Example",
    "Span",
    "count_tokens",
    "is_split",
    "render",
    "render_all",
    "render_trajectory",
    "render_turns",
]


def render_all(
    trajectories: Iterable[Trajectory],
    tokenizer: "PreTrainedTokenizerBase",
    config: MaskConfig,
    thinking: str = OFF,
) -> Iterator[tuple[Trajectory, Example | UntrainableError]]:
    """Masks and renders one trajectory after the other; yields each as it was given, with what came of it.

    Where `is_split`, a trajectory comes again with each of its examples.
    """
    render = _split if is_split(tokenizer, thinking) else _whole
    yield from render(trajectories, tokenizer, config, thinking)


def _split(
    trajectories: Iterable[Trajectory],
    tokenizer: "PreTrainedTokenizerBase",
    config: MaskConfig,
    thinking: str,
) -> Iterator[tuple[Trajectory, Example | UntrainableError]]:
    owed = 0
    for trajectory in trajectories:
        masked = mask(trajectory, config)
        try:
            examples = render_turns(masked.trajectory, tokenizer, masked.turns, thinking)
            if config.random:
                plain = render_turns(trajectory, tokenizer, whole(masked.turns), thinking)
                examples, owed = random_examples(
                    plain, examples, id=trajectory.id, seed=config.seed, owed=owed
                )
        except UntrainableError as error:
            yield trajectory, error
        else:
            yield from ((trajectory, example) for example in examples)


def _whole(
    trajectories: Iterable[Trajectory],
    tokenizer: "PreTrainedTokenizerBase",
    config: MaskConfig,
    thinking: str,
) -> Iterator[tuple[Trajectory, Example | UntrainableError]]:
    owed = 0
    chats = _chats(trajectories, tokenizer, config, thinking)
    for (trajectory, masked, error), chat, encoded in encode_ahead(chats, tokenizer.backend_tokenizer):
        if error:
            yield trajectory, error
            continue
        try:
            example = _trained(join(encoded_turns(chat, encoded, tokenizer), chat.id))
            if config.random:
                turns = _shifted(_masks(trajectory, whole(masked.turns)), chat, masked.trajectory, tokenizer)
                plain = join(encoded_turns(chat._replace(turns=turns), encoded, tokenizer), chat.id)
                example, owed = random_turns(plain, example, seed=config.seed, owed=owed)
        except UntrainableError as cause:
            yield trajectory, cause
        else:
            yield trajectory, _with_completions(example, masked.trajectory)


def _chats(
    trajectories: Iterable[Trajectory],
    tokenizer: "PreTrainedTokenizerBase",
    config: MaskConfig,
    thinking: str,
) -> Iterator[tuple[tuple[Trajectory, MaskedTrajectory, UntrainableError | None], Chat]]:
    for trajectory in trajectories:
        masked = mask(trajectory, config)
        left = masked.trajectory
        try:
            pieces = cut(history(left, thinking), tokenizer, left.id)
        except UntrainableError as error:
            yield (trajectory, masked, error), Chat(left.id, [], [], [])
            continue
        chat = as_chat(pieces, [], left.id)
        turns = _shifted(_masks(left, masked.turns), chat, left, tokenizer)
        yield (trajectory, masked, None), chat._replace(turns=turns)


def _shifted(
    masks: Sequence[TurnMask], chat: Chat, trajectory: Trajectory, tokenizer: "PreTrainedTokenizerBase"
) -> list[TurnMask]:
    """Masks of raw replies, moved behind what stands before the raw reply in what is written."""
    return [
        shifted(own, len(text) - len(tokenizer.eos_token) - len(turn.reply))
        for own, text, turn in zip(masks, chat.written, trajectory.turns, strict=True)
    ]


def is_split(tokenizer: "PreTrainedTokenizerBase", thinking: str = OFF) -> bool:
    """Whether a conversation becomes one example per trained turn, as none holds what each turn reads."""
    return thinking == LAST_TURN or not keeps_prefixes(tokenizer, _thought(thinking))


def count_tokens(trajectory: Trajectory, tokenizer: "PreTrainedTokenizerBase", thinking: str = OFF) -> int:
    """Of a trajectory's example; of the longest where it has several. May raise UntrainableError."""
    examples = _render(trajectory, tokenizer, None, thinking, is_split(tokenizer, thinking))
    return max(len(example.input_ids) for example in examples)


def render_trajectory(
    trajectory: Trajectory,
    tokenizer: "PreTrainedTokenizerBase",
    turns: Sequence[TurnMask] | None = None,
    thinking: str = OFF,
) -> Example:
    """Renders a trajectory as one sequence; copied turns are read, not trained.

    Raises:
        RenderError: as `render`; or there is no one sequence, since thinking is last_turn.
    """
    if thinking == LAST_TURN:
        raise RenderError(f"{trajectory.id}: thinking=last_turn has no one sequence; use thinking=keep.")
    masks = _masks(trajectory, turns)
    messages = history(trajectory, thinking)
    masks = [
        shifted(own, len(message["content"]) - len(turn.reply))
        for own, message, turn in zip(masks, messages[1::2], trajectory.turns, strict=True)
    ]
    return _with_completions(render(messages, tokenizer, id=trajectory.id, turns=masks), trajectory)


def render_turns(
    trajectory: Trajectory,
    tokenizer: "PreTrainedTokenizerBase",
    turns: Sequence[TurnMask] | None = None,
    thinking: str = OFF,
) -> list[Example]:
    """Renders a trajectory as one example `id@k` per trained turn k: all that a server shows then, the reply.

    Raises:
        RenderError: the template cannot be cut at a reply, whatever it says; a mask does not fit.
        UntrainableError: as `render`; or the template alters one of these replies.
    """
    masks = _masks(trajectory, turns)
    trained = [turn for turn, own in enumerate(masks) if own.weight]
    messages = history(trajectory, thinking)
    replies = written(trajectory, thinking, trained)
    pieces, own_masks = [], []
    for turn in trained:
        said = [*messages[: 2 * turn + 1], {"role": "assistant", "content": replies[turn]}]
        try:
            prompt, reply = read_and_written(said, tokenizer, trajectory.id, turn)
        except RenderError as error:
            if not renders_by_turn(tokenizer, _thought(thinking)):
                raise
            raise UntrainableError(str(error), "the chat template alters a reply") from error
        pieces += (Piece(prompt, "user", turn), Piece(reply, "assistant", turn))
        characters = len(reply) - len(tokenizer.eos_token) - len(trajectory.turns[turn].reply)
        own_masks.append(shifted(masks[turn], characters))
    if not pieces:
        raise _nothing(trajectory.id, len(masks))
    return [
        _with_completions(join([turn], f"{trajectory.id}@{turn.number}"), trajectory)
        for turn in encode(pieces, own_masks, tokenizer, trajectory.id)
    ]


def render(
    messages: Sequence[Message],
    tokenizer: "PreTrainedTokenizerBase",
    *,
    id: str = "",
    turns: Sequence[TurnMask] | None = None,
) -> Example:
    """Renders a chat through the tokenizer's own template, as one sequence.

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
    replies = [message["content"] for message in messages if message["role"] == "assistant"]
    turns = [TurnMask()] * len(replies) if turns is None else turns
    _check_count(turns, len(replies), id)
    pieces = cut(messages, tokenizer, id)
    masks = [
        shifted(own, len(piece.text) - len(tokenizer.eos_token) - len(reply))
        for own, piece, reply in zip(turns, pieces[1::2], replies, strict=True)
    ]
    return _trained(join(encode(pieces, masks, tokenizer, id), id))


def _render(
    trajectory: Trajectory,
    tokenizer: "PreTrainedTokenizerBase",
    turns: Sequence[TurnMask] | None,
    thinking: str,
    split: bool,
) -> list[Example]:
    if split:
        return render_turns(trajectory, tokenizer, turns, thinking)
    return [render_trajectory(trajectory, tokenizer, turns, thinking)]


def _masks(trajectory: Trajectory, turns: Sequence[TurnMask] | None) -> list[TurnMask]:
    """One per turn, that of a copied turn with weight 0."""
    turns = [TurnMask()] * len(trajectory.turns) if turns is None else turns
    _check_count(turns, len(trajectory.turns), trajectory.id)
    return [
        replace(own, weight=0.0) if turn.is_copied else own
        for own, turn in zip(turns, trajectory.turns, strict=True)
    ]


def _check_count(turns: Sequence[TurnMask], replies: int, id: str) -> None:
    if len(turns) != replies:
        raise RenderError(f"{id}: {len(turns)} turn masks for {replies} assistant turns; give one each.")


def _with_completions(example: Example, trajectory: Trajectory) -> Example:
    """Replies that declare the task complete are labelled."""
    spans = tuple(
        replace(span, label=DONE)
        if span.role == "assistant" and trajectory.turns[span.turn].parsed.task_complete
        else span
        for span in example.spans
    )
    return replace(example, spans=spans)


def _thought(thinking: str) -> str:
    """What stands in front of a plain reply."""
    return "" if thinking == OFF else spoken(Turn("", reasoning="hm"))


def _trained(example: Example) -> Example:
    """Raises UntrainableError when nothing of it is trained."""
    if not any(example.weights):
        raise _nothing(example.id, sum(span.role == "assistant" for span in example.spans))
    return example


def _nothing(id: str, replies: int) -> UntrainableError:
    return UntrainableError(
        f"{id}: no token would be trained; the mask leaves nothing of {replies} turns.", "nothing to train"
    )
