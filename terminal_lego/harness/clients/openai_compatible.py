"""A model behind any server that speaks the OpenAI chat protocol: vLLM, SGLang, llama.cpp, a provider."""

import math
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import ConfigError, ContextLengthExceededError, ModelUnavailableError
from terminal_lego.harness.clients import Completion
from terminal_lego.trajectory import Message

if TYPE_CHECKING:
    from openai import APIStatusError
    from openai.types.chat import ChatCompletion

PAUSES = (4.0, 8.0, 15.0, 15.0)
"""Seconds between the attempts of one call; one attempt more than there are pauses."""

ATTEMPT_SECONDS = 600.0
REASON_CHARACTERS = 1_000
_TRANSIENT = frozenset({408, 409, 425, 429})
_CONTEXT_OVERFLOW = re.compile(
    r"context_length_exceeded|context (length|size|window)|maximum model length|prompt is too long"
    r"|input (is too long|length .* exceeds)|must be <=? ?\d+. given",
    re.IGNORECASE,
)


class OpenAICompatibleClient:
    """Sends the whole conversation each time, and nothing that was not asked for.

    Args:
        model: as the server names it.
        base_url: ending in `/v1` for most servers.
        api_key_env: name of the environment variable that holds the key; None for a server without one.
        temperature, max_tokens: not sent when None.
        extra_body: further fields of the request, such as `chat_template_kwargs`.

    Raises ConfigError when the environment variable is not set.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        api_key_env: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        extra_body: Mapping[str, Any] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        from openai import OpenAI

        key = "none" if api_key_env is None else os.environ.get(api_key_env, "")
        if not key:
            raise ConfigError(
                f"{model}: the environment variable {api_key_env} is not set; put the API key there."
            )
        self.model = model
        self._base_url, self._key, self._sleep = base_url, key, sleep
        sampling = {"temperature": temperature, "max_tokens": max_tokens, "extra_body": extra_body}
        self._options = {name: value for name, value in sampling.items() if value is not None}
        self._client = OpenAI(base_url=base_url, api_key=key, max_retries=0)

    def complete(self, messages: list[Message], *, timeout: float | None = None) -> Completion:
        """See `ChatClient.complete`. Asks again after what may pass: limits, overload, lost connections."""
        from openai import APIConnectionError, APIStatusError, OpenAIError

        end = math.inf if timeout is None else time.monotonic() + timeout
        for pause in (*PAUSES, None):
            left = end - time.monotonic()
            if left <= 0:
                raise self._unavailable("no time was left to ask")
            try:
                return _completion(
                    self._client.chat.completions.create(
                        model=self.model,
                        messages=messages,  # type: ignore[arg-type]
                        timeout=min(left, ATTEMPT_SECONDS),
                        **self._options,
                    )
                )
            except APIConnectionError as error:
                reason = str(error.__cause__ or error)
            except APIStatusError as error:
                reason = self._refusal(error)
            except (OpenAIError, ValueError) as error:
                reason = str(error)
            if pause is None or time.monotonic() + pause >= end:
                raise self._unavailable(reason)
            self._sleep(pause)
        raise AssertionError("unreachable")

    def _refusal(self, error: "APIStatusError") -> str:
        """The reason to ask again, or the error that ends the call."""
        reason = f"HTTP {error.status_code}: {error.message[:REASON_CHARACTERS]}"
        if error.status_code in (400, 413, 422) and _CONTEXT_OVERFLOW.search(f"{error.code} {error.message}"):
            raise ContextLengthExceededError(
                f"{self.model}: the conversation does not fit its context: {self._hide_key(reason)}"
            ) from None
        if error.status_code not in _TRANSIENT and error.status_code < 500:
            raise self._unavailable(reason) from None
        return reason

    def _unavailable(self, reason: str) -> ModelUnavailableError:
        return ModelUnavailableError(
            f"{self.model} at {self._base_url} gave no answer: {self._hide_key(reason)}. "
            "Check the server, the model's name and the key."
        )

    def _hide_key(self, text: str) -> str:
        return text if self._key == "none" else text.replace(self._key, "[key]")


def _completion(response: "ChatCompletion") -> Completion:
    """Raises ValueError when the server sent something else: the SDK does not check."""
    try:
        choice, usage = response.choices[0], response.usage
        text, extra = choice.message.content or "", choice.message.model_extra or {}
    except (AttributeError, IndexError, TypeError):
        raise ValueError("the server's answer is not a chat completion") from None
    reasoning = extra.get("reasoning_content") or extra.get("reasoning")
    return Completion(
        text=_text(text),
        finish_reason=choice.finish_reason or "stop",
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        reasoning=_text(reasoning) if isinstance(reasoning, str) else None,
    )


def _text(value: str) -> str:
    """Half a surrogate pair can come in through JSON, but no file or tokenizer can hold it."""
    return value.encode("utf-8", "replace").decode()
