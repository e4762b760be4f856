"""Texts to ids, by the tokenizer's Rust core, which leaves Python free and shares many texts among cores."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from terminal_lego.rendering.masks import TurnMask
from terminal_lego.rendering.offsets import Offsets, counted, token_bytes

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_TOGETHER = 16
"""Conversations per call: enough to keep all cores busy, few enough to hold."""

Item = TypeVar("Item")
_Batches = tuple[list["Encoding"], list["Encoding"]]


class Chat(NamedTuple):
    """What is read before each reply, each reply with its end of turn, and its mask."""

    id: str
    read: list[str]
    written: list[str]
    turns: Sequence[TurnMask]

    @property
    def has_parts(self) -> bool:
        return any(turn.parts for turn in self.turns)


class Encoded(NamedTuple):
    """The ids of each text, and the characters of each token of a reply where the chat has parts."""

    read: list[list[int]]
    written: list[list[int]]
    offsets: list[Offsets | None]


def encode(chat: Chat, core: "Tokenizer") -> Encoded:
    encoder = _Encoder(core, counts=False)
    return next(encoder.finish([chat], *encoder.start([chat])))


def encode_ahead(
    chats: Iterable[tuple[Item, Chat]], core: "Tokenizer"
) -> Iterator[tuple[Item, Chat, Encoded]]:
    """Encodes in other threads while the caller is busy with the chats before and after.

    Up to three times `_TOGETHER` chats are asked for ahead. Each comes back with what was given beside it.
    """
    encoder = _Encoder(deepcopy(core), counts=True)  # a core whose settings nobody changes meanwhile
    remaining = iter(chats)
    with ThreadPoolExecutor(2) as pool:  # the core is never idle while one waits for Python
        waiting: deque[tuple[list[tuple[Item, Chat]], Future[_Batches]]] = deque()
        while True:
            if together := list(islice(remaining, _TOGETHER)):
                waiting.append((together, pool.submit(encoder.start, [chat for _, chat in together])))
            if not waiting:
                return
            if not together or len(waiting) > 2:
                first, future = waiting.popleft()
                encoded = encoder.finish([chat for _, chat in first], *future.result())
                for (item, chat), each in zip(first, encoded, strict=True):
                    yield item, chat, each


class _Encoder:
    """Args:
    counts: whether to find out once how long the tokens are, instead of asking for offsets each time.
    """

    def __init__(self, core: "Tokenizer", *, counts: bool) -> None:
        core.no_truncation()
        core.no_padding()
        core.encode_special_tokens = False
        self.core = core
        self.lengths = token_bytes(core) if counts else None

    def start(self, chats: Sequence[Chat]) -> _Batches:
        asks = self.lengths is None and any(chat.has_parts for chat in chats)
        encode_written = self.core.encode_batch if asks else self.core.encode_batch_fast
        read = [text for chat in chats for text in chat.read]
        written = [text for chat in chats for text in chat.written]
        return (
            self.core.encode_batch_fast(read, add_special_tokens=False),
            encode_written(written, add_special_tokens=False),
        )

    def finish(
        self, chats: Sequence[Chat], read: list["Encoding"], written: list["Encoding"]
    ) -> Iterator[Encoded]:
        remaining_read, remaining_written = iter(read), iter(written)
        for chat in chats:
            replies = list(islice(remaining_written, len(chat.written)))
            ids = [encoding.ids for encoding in replies]
            yield Encoded(
                [encoding.ids for encoding in islice(remaining_read, len(chat.read))],
                ids,
                [
                    self._offsets(*each) if turn.parts else None
                    for turn, *each in zip(chat.turns, chat.written, ids, replies, strict=True)
                ],
            )

    def _offsets(self, text: str, ids: list[int], encoding: "Encoding") -> Offsets:
        if self.lengths is None:
            return Offsets.of(encoding.offsets)
        found = counted(text, ids, self.lengths)
        return found or Offsets.of(self.core.encode(text, add_special_tokens=False).offsets)
