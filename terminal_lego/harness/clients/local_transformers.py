"""A student served inside this process: greedy decoding, one batch for all trials that wait."""

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import ContextLengthExceededError, ModelUnavailableError, StudentError
from terminal_lego.harness.clients import Completion
from terminal_lego.trajectory import Message

if TYPE_CHECKING:
    import torch

THOUGHT, THOUGHT_END = "<think>", "</think>"
GATHER_SECONDS = 0.02
"""How long a batch waits for one more request: far below a turn, enough for trials in step."""


@dataclass
class _Request:
    messages: list[Message]
    answer: "Future[Completion]" = field(default_factory=Future)


class LocalStudent:
    """A `ChatClient` over a Transformers model in this process; safe to call from many threads.

    Args:
        path: folder or hub name of a causal language model with a chat template.
        max_new_tokens: longest reply; a longer one ends with finish_reason "length".
        max_batch: most conversations generated for at once.
        chat_template: a .jinja file used instead of the tokenizer's own template.
        takes_thoughts: whether a thought that a reply begins with is taken out of its text, as servers'
            reasoning parsers do; for students that were trained to read no earlier thoughts.

    Raises:
        StudentError: the model cannot be loaded or has no chat template.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        max_new_tokens: int = 256,
        max_batch: int = 16,
        chat_template: str | Path | None = None,
        takes_thoughts: bool = False,
    ) -> None:
        self.model = str(path)
        self._takes_thoughts = takes_thoughts
        self._max_new_tokens = max_new_tokens
        self._max_batch = max_batch
        self._tokenizer, self._network = _load(self.model, chat_template)
        self._limit = self._network.config.max_position_embeddings
        self.context: int | None = self._limit - max_new_tokens
        self.output_limit: int | None = max_new_tokens
        self._requests: queue.Queue[_Request | None] = queue.Queue()
        self._lock, self._closed = threading.Lock(), False
        self._worker = threading.Thread(target=self._serve, name="local-student", daemon=True)
        self._worker.start()

    def complete(self, messages: list[Message], *, timeout: float | None = None) -> Completion:
        """Raises ContextLengthExceededError; ModelUnavailableError after `timeout` seconds or when closed."""
        request = _Request(messages)
        with self._lock:
            if self._closed:
                raise ModelUnavailableError(f"{self.model}: closed already")
            self._requests.put(request)
        try:
            return request.answer.result(timeout)
        except TimeoutError as error:
            request.answer.cancel()
            raise ModelUnavailableError(f"{self.model}: no reply within {timeout:.0f} s") from error

    def count(self, messages: list[Message]) -> int:
        """As the chat template spells them, the opening of the reply included."""
        return len(self._ids(messages)) if messages else 0

    def close(self) -> None:
        """Answers what was asked before, then stops. A second call does nothing."""
        with self._lock:
            if not self._closed:
                self._requests.put(None)
            self._closed = True
        self._worker.join()

    def __enter__(self) -> "LocalStudent":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        while (first := self._requests.get()) is not None:
            batch, closing = [first], False
            while len(batch) < self._max_batch and not closing:
                try:
                    request = self._requests.get(timeout=GATHER_SECONDS)
                except queue.Empty:
                    break
                closing = request is None
                if request is not None:
                    batch.append(request)
            waiting = [each for each in batch if each.answer.set_running_or_notify_cancel()]
            try:
                self._answer(waiting)
            except Exception as error:  # the waiting trials must hear of it, whatever it is
                for request in waiting:
                    if not request.answer.done():
                        request.answer.set_exception(ModelUnavailableError(f"{self.model}: {error}"))
            if closing:
                return

    def _answer(self, batch: list[_Request]) -> None:
        fitting = []
        for request in batch:
            ids = self._ids(request.messages)
            if len(ids) + self._max_new_tokens > self._limit:
                request.answer.set_exception(
                    ContextLengthExceededError(
                        f"{len(ids)} prompt tokens and {self._max_new_tokens} for the reply exceed the "
                        f"{self._limit} that {self.model} can hold"
                    )
                )
            else:
                fitting.append((request, ids))
        if not fitting:
            return
        replies = self._generate([ids for _, ids in fitting])
        for (request, ids), reply in zip(fitting, replies, strict=True):
            request.answer.set_result(self._completion(reply, len(ids)))

    def _ids(self, messages: list[Message]) -> list[int]:
        template = self._tokenizer.apply_chat_template
        return template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]

    def _generate(self, prompts: list[list[int]]) -> "torch.Tensor":
        import torch

        padded = self._tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
        with torch.inference_mode():
            sequences = self._network.generate(
                **padded.to(self._network.device), max_new_tokens=self._max_new_tokens
            )
        return sequences[:, padded["input_ids"].shape[1] :]

    def _completion(self, reply: "torch.Tensor", prompt_tokens: int) -> Completion:
        ids = reply.tolist()
        stopped = self._tokenizer.eos_token_id in ids
        if stopped:
            ids = ids[: ids.index(self._tokenizer.eos_token_id)]
        text = self._tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        thought, closing, rest = text.partition(THOUGHT_END) if self._takes_thoughts else ("", "", "")
        return Completion(
            text=rest if closing else text,
            reasoning=thought.removeprefix(THOUGHT).strip("\n") if closing else None,
            finish_reason="stop" if stopped else "length",
            prompt_tokens=prompt_tokens,
            completion_tokens=len(ids) + stopped,
        )


def _load(path: str, chat_template: str | Path | None) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        network = AutoModelForCausalLM.from_pretrained(path, dtype="auto")
    except Exception as error:  # a folder can be broken in many ways
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StudentError(f"{path}: cannot be loaded ({reason}); give a folder or a hub name.") from error
    if chat_template:
        tokenizer.chat_template = Path(chat_template).read_text()
    if tokenizer.chat_template is None:
        raise StudentError(
            f"{path}: its tokenizer has no chat template; save one as chat_template.jinja beside it."
        )
    # Plain greedy decoding up to the end of the turn, whatever the model's own defaults are.
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    network.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return tokenizer, network.eval().to("cuda" if torch.cuda.is_available() else "cpu")
