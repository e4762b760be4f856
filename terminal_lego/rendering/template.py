"""Where a chat template puts each message: the rendered text, cut between what is read and what is written.

The sure way renders the chat twice per turn and compares, which costs the square of the length. Most
templates only put fixed text around each message, though. Whether one does is found out once per tokenizer,
by chats made to provoke the others; such a chat's text is put together here, and one rendering of the whole
checks it. Whatever fails that check goes the sure way, which knows what to complain about.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from terminal_lego.errors import RenderError
from terminal_lego.trajectory import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Piece(NamedTuple):
    """One side of a turn: all the text that is read before a reply, or the reply with its end of turn."""

    text: str
    role: str
    turn: int


@dataclass(frozen=True)
class Frames:
    """The fixed text around messages: opening, user, middle, reply, end, between, user ... end, closing.

    `system` are the texts before a system message and between it and the first user message; None when the
    template treats it in another way.
    """

    opening: str
    middle: str
    end: str
    between: str
    closing: str
    system: tuple[str, str] | None

    def pieces(self, messages: Sequence[Message]) -> list[Piece] | None:
        """None when the messages are not user and assistant alternating, after at most one system message."""
        before = self.opening
        if messages[0]["role"] == "system":
            if self.system is None:
                return None
            before = self.system[0] + messages[0]["content"] + self.system[1]
            messages = messages[1:]
        found: list[Piece] = []
        for turn, (user, reply) in enumerate(zip(messages[::2], messages[1::2], strict=True)):
            if (user["role"], reply["role"]) != ("user", "assistant"):
                return None
            found.append(Piece(before + user["content"] + self.middle, "user", turn))
            found.append(Piece(reply["content"] + self.end, "assistant", turn))
            before = self.between
        return found


def cut(messages: Sequence[Message], tokenizer: "PreTrainedTokenizerBase", id: str = "") -> list[Piece]:
    """The pieces of a chat, user and assistant in turn; together they are its rendering up to the last reply.

    Raises:
        RenderError: the template rewrites earlier messages, does not close a turn with the end-of-turn
            token, or alters a reply.
    """
    if not messages or messages[-1]["role"] != "assistant":
        raise RenderError(f"{id}: the conversation must end with an assistant message to be trained on.")
    frames = frames_of(tokenizer)
    if frames and len(messages) % 2 == (messages[0]["role"] == "system"):
        pieces = frames.pieces(messages)
        if pieces and "".join(text for text, _, _ in pieces) + frames.closing == _text(messages, tokenizer):
            return pieces
    return list(cut_by_turn(messages, tokenizer, id))


def cut_by_turn(
    messages: Sequence[Message], tokenizer: "PreTrainedTokenizerBase", id: str = ""
) -> Iterator[Piece]:
    """As `cut`, whatever the template does: each turn is rendered, and compared with the one before."""
    done, turn = "", 0
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt, reply = read_and_written(messages[: index + 1], tokenizer, id, turn)
        if not prompt.startswith(done):
            raise _rewrites(id, turn)
        yield Piece(prompt[len(done) :], "user", turn)
        yield Piece(reply, "assistant", turn)
        done, turn = prompt + reply, turn + 1


def read_and_written(
    messages: Sequence[Message], tokenizer: "PreTrainedTokenizerBase", id: str, turn: int
) -> tuple[str, str]:
    """All that a server shows before the last message, and that message with its end of turn.

    A reply may begin with what the prompt ends with (the opening tag of a thought, line breaks): that much of
    it is read, not written.

    Raises:
        RenderError: as `cut`, said of this turn.
    """
    content = messages[-1]["content"]
    prompt = _text(messages[:-1], tokenizer, generate=True)
    full = _text(messages, tokenizer)
    if not full.startswith(prompt):
        raise _rewrites(id, turn)
    rest, end = full[len(prompt) :], tokenizer.eos_token
    for closing in reversed(list(re.finditer(re.escape(end), rest))):
        reply = rest[: closing.start()]
        if content.endswith(reply) and prompt.endswith(content.removesuffix(reply)):
            return prompt, reply + end
    raise RenderError(
        f"{id}: the chat template does not render turn {turn} as its text followed by "
        f"{end!r}; a reply must be trained exactly as it was written."
    )


def _rewrites(id: str, turn: int) -> RenderError:
    return RenderError(
        f"{id}: the chat template rewrites earlier messages at turn {turn} (it keeps no prefixes), "
        "so one sequence cannot hold what the server would show; use a template that keeps them, "
        "such as train/templates/chatml.jinja."
    )


def keeps_prefixes(tokenizer: "PreTrainedTokenizerBase", thought: str = "") -> bool:
    """Whether a conversation only grows: what was shown before a reply stands there, with it, at the next.

    Asked of the chats that are made to provoke templates. A template that refuses them all is not said to
    rewrite any.

    Args:
        thought: what every reply begins with.
    """
    return frames_of(tokenizer) is not None or not any(
        _is_rewritten(_with_thoughts(_chat(3, variant), thought), tokenizer)
        for variant in range(len(_CONTENTS))
    )


def renders_by_turn(tokenizer: "PreTrainedTokenizerBase", thought: str = "") -> bool:
    """Whether a plain conversation can be cut at its last reply."""
    try:
        read_and_written(_with_thoughts(_chat(2, 0), thought), tokenizer, "", 1)
    except Exception:  # a template may fail in any way it likes
        return False
    return True


def _is_rewritten(chat: list[Message], tokenizer: "PreTrainedTokenizerBase") -> bool:
    done = ""
    try:
        for index in range(1, len(chat), 2):
            prompt = _text(chat[:index], tokenizer, generate=True)
            full = _text(chat[: index + 1], tokenizer)
            if not (prompt.startswith(done) and full.startswith(prompt)):
                return True
            done = full[: full.rfind(tokenizer.eos_token) + len(tokenizer.eos_token)]
    except Exception:  # as above
        return False
    return False


_known: "WeakKeyDictionary[PreTrainedTokenizerBase, tuple[Any, Frames | None]]" = WeakKeyDictionary()


def frames_of(tokenizer: "PreTrainedTokenizerBase") -> Frames | None:
    """The frames of the tokenizer's template; None when it is more than text around messages."""
    template = (tokenizer.chat_template, tokenizer.special_tokens_map)
    if tokenizer not in _known or _known[tokenizer][0] != template:
        _known[tokenizer] = template, _frames(tokenizer)
    return _known[tokenizer][1]


def _frames(tokenizer: "PreTrainedTokenizerBase") -> Frames | None:
    try:
        frames = _read(tokenizer)
        chats = [_chat(turns, variant) for turns, variant in product(range(1, 6), range(len(_CONTENTS)))]
        if not all(_holds(frames, chat, tokenizer) for chat in chats):
            return None
    except Exception:  # a template may refuse a probe in any way it likes; so may it refuse the real chat
        return None
    return Frames(**{**vars(frames), "system": _system(frames, chats, tokenizer)})


def _read(tokenizer: "PreTrainedTokenizerBase") -> Frames:
    opening, rest = _text(_chat(2, 0), tokenizer).split(_CONTENTS[0][0], 1)
    middle, rest = rest.split(_CONTENTS[0][1], 1)
    between, rest = rest.split(_CONTENTS[0][0], 1)
    closing = rest.split(_CONTENTS[0][1], 1)[1]
    end = tokenizer.eos_token
    return Frames(opening, middle, end, between.removeprefix(end), closing.removeprefix(end), None)


def _system(
    frames: Frames, chats: Sequence[list[Message]], tokenizer: "PreTrainedTokenizerBase"
) -> tuple[str, str] | None:
    def message(content: str) -> Message:
        return {"role": "system", "content": content}

    try:
        before, rest = _text([message("Rules."), *_chat(1, 0)], tokenizer).split("Rules.", 1)
        between = rest.split(_CONTENTS[0][0], 1)[0]
        frames = Frames(**{**vars(frames), "system": (before, between)})
        contents = ["Rules.", *(content for contents in _CONTENTS for content in contents)]
        probes = [[message(content), *chat] for content in contents for chat in chats[: len(_CONTENTS) + 1]]
        return frames.system if all(_holds(frames, chat, tokenizer) for chat in probes) else None
    except Exception:  # as above
        return None


def _holds(frames: Frames, chat: list[Message], tokenizer: "PreTrainedTokenizerBase") -> bool:
    pieces = list(cut_by_turn(chat, tokenizer))
    whole = "".join(piece.text for piece in pieces) + frames.closing
    return frames.pieces(chat) == pieces and whole == _text(chat, tokenizer)


_CONTENTS = (
    ("What is asked.", "What is answered."),
    ("\n\nscreen \n", "\n <think>\n\nhm\n</think>\n\n{} \n\n"),
    ("", "<think>hm</think>"),
    ("<think>", "</think>\n"),
    ("\tscreen</think>", ""),
)
"""Pairs of a user's and an assistant's message; the first must be found again in a rendering."""


def _chat(turns: int, variant: int) -> list[Message]:
    """Every turn of variant 0 says the same; the others take the pairs in turn, from `variant` on."""
    pairs = [_CONTENTS[(variant + turn) % len(_CONTENTS) if variant else 0] for turn in range(turns)]
    return [
        {"role": role, "content": content}
        for pair in pairs
        for role, content in zip(("user", "assistant"), pair, strict=True)
    ]


def _with_thoughts(chat: list[Message], thought: str) -> list[Message]:
    for reply in chat[1::2] if thought else ():
        reply["content"] = thought + re.sub("</?think>", "", reply["content"])
    return chat


def _text(
    messages: Sequence[Message], tokenizer: "PreTrainedTokenizerBase", *, generate: bool = False
) -> str:
    return tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=generate)
