"""From a conversation to token ids and loss weights.

The weights come from where the template puts each message, never from a search for strings in the
rendered text. The chat is rendered once per assistant turn; the template must keep what it rendered
before as a prefix (checked on every conversation), and the text is then cut where generation starts
and where the turn ends. Each piece is tokenised by itself, so a token never spans a boundary between
what the model reads and what it writes: what the server puts in front of turn k is what the student
was trained on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from terminal_lego.errors import RenderError, UntrainableError
from terminal_lego.trajectory import Message, Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100


@dataclass(frozen=True)
class Span:
    """Tokens `[start, end)` of one message's part of the rendered chat.

    `turn` counts assistant turns from 0; everything the model reads before its reply k belongs to turn k.
    """

    role: str
    turn: int
    start: int
    end: int


@dataclass(frozen=True)
class Example:
    """One conversation, ready to train on.

    Attributes:
        input_ids: length L.
        weights: length L; the loss weight of predicting each token (0 = read only).
        spans: what each part of the sequence is, in order, covering it without gaps.
    """

    id: str
    input_ids: list[int]
    weights: list[float]
    spans: tuple[Span, ...]

    @property
    def labels(self) -> list[int]:
        """`input_ids` where the weight is not zero, `IGNORED` elsewhere (unshifted, as TRL wants them)."""
        return [
            token if weight else IGNORED for token, weight in zip(self.input_ids, self.weights, strict=True)
        ]

    @property
    def trained_tokens(self) -> int:
        return sum(weight > 0 for weight in self.weights)


def render(
    messages: Sequence[Message],
    tokenizer: "PreTrainedTokenizerBase",
    *,
    id: str = "",
    turn_weights: Sequence[float] | None = None,
) -> Example:
    """Renders a chat through the tokenizer's own template.

    Args:
        messages: user and assistant alternating, ending with an assistant message.
        turn_weights: one weight per assistant turn; all 1 by default. A turn's weight holds for its
            content and its end-of-turn token.

    Raises:
        RenderError: the template does not keep prefixes, does not close a turn with the end-of-turn
            token, or alters a reply.
        UntrainableError: nothing would be trained, or a reply cannot be trained as it was written: the
            tokenizer loses some of it, or reads a special token where the teacher wrote plain text. (On
            the reading side such text stays: the server's tokenizer reads it the same way.)
    """
    turns = sum(message["role"] == "assistant" for message in messages)
    weights_by_turn = [1.0] * turns if turn_weights is None else list(turn_weights)
    if len(weights_by_turn) != turns:
        raise RenderError(
            f"{id}: {len(weights_by_turn)} turn weights for {turns} assistant turns; give one each."
        )

    added = tokenizer.added_tokens_decoder.items()
    specials = {token for token, form in added if form.special} | set(tokenizer.all_special_ids)
    pieces = list(_pieces(messages, tokenizer, id))
    encoded = tokenizer([text for text, _, _ in pieces], add_special_tokens=False)["input_ids"]
    input_ids: list[int] = []
    weights: list[float] = []
    spans: list[Span] = []
    for (text, role, turn), ids in zip(pieces, encoded, strict=True):
        weight = weights_by_turn[turn] if role == "assistant" else 0.0
        if weight:
            _check_reply(text, ids, tokenizer, specials, f"{id}: turn {turn}")
        spans.append(Span(role, turn, len(input_ids), len(input_ids) + len(ids)))
        input_ids += ids
        weights += [weight] * len(ids)
    if not any(weights):
        raise UntrainableError(
            f"{id}: no token would be trained; the mask leaves nothing of {turns} turns.", "nothing to train"
        )
    return Example(id, input_ids, weights, tuple(spans))


def render_trajectory(trajectory: Trajectory, tokenizer: "PreTrainedTokenizerBase") -> Example:
    """Renders a trajectory; copied turns are read, not trained."""
    weights = [0.0 if turn.is_copied else 1.0 for turn in trajectory.turns]
    return render(trajectory.messages(), tokenizer, id=trajectory.id, turn_weights=weights)


def _check_reply(
    text: str, ids: list[int], tokenizer: "PreTrainedTokenizerBase", specials: set[int], place: str
) -> None:
    """`ids` must be `text`, its last token the end of turn, and no other a special one."""
    if ids[-1] != tokenizer.eos_token_id:
        raise RenderError(
            f"{place} ends with {tokenizer.decode(ids[-1:])!r}, not with the end-of-turn token "
            f"{tokenizer.eos_token!r}; set eos_token to what the template ends a turn with."
        )
    if special := [token for token in ids[:-1] if token in specials]:
        raise UntrainableError(
            f"{place} holds the text {tokenizer.decode(special[:1])!r}, which the tokenizer reads as a "
            "special token; a student cannot learn to write it as text.",
            "a reply holds the text of a special token",
        )
    if tokenizer.decode(ids, clean_up_tokenization_spaces=False) != text:
        raise UntrainableError(
            f"{place} comes back from the tokenizer as other text; a reply must be trained exactly as it was "
            "written.",
            "the tokenizer alters a reply",
        )


def _pieces(
    messages: Sequence[Message], tokenizer: "PreTrainedTokenizerBase", id: str
) -> Iterator[tuple[str, str, int]]:
    """Yields (text, role, turn): what is read before a reply, then the reply with its end-of-turn token."""

    def text(chat: Sequence[Message], generate: bool) -> str:
        return tokenizer.apply_chat_template(list(chat), tokenize=False, add_generation_prompt=generate)

    if not messages or messages[-1]["role"] != "assistant":
        raise RenderError(f"{id}: the conversation must end with an assistant message to be trained on.")
    done, turn = "", 0
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt = text(messages[:index], generate=True)
        full = text(messages[: index + 1], generate=False)
        if not (prompt.startswith(done) and full.startswith(prompt)):
            raise RenderError(
                f"{id}: the chat template rewrites earlier messages at turn {turn} (it keeps no prefixes), "
                "so one sequence cannot hold what the server would show; use a template that keeps them, "
                "such as train/templates/chatml.jinja."
            )
        reply = full[len(prompt) :]
        closed = reply.find(tokenizer.eos_token, len(message["content"]))
        if not reply.startswith(message["content"]) or closed != len(message["content"]):
            raise RenderError(
                f"{id}: the chat template does not render turn {turn} as its text followed by "
                f"{tokenizer.eos_token!r}; a reply must be trained exactly as it was written."
            )
        end = len(prompt) + closed + len(tokenizer.eos_token)
        yield prompt[len(done) :], "user", turn
        yield full[len(prompt) : end], "assistant", turn
        done, turn = full[:end], turn + 1
