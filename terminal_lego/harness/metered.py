"""A model that is paid for: its calls are added up, and its rate limits are waited for."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from terminal_lego.harness.clients.openai_compatible import OpenAICompatibleClient
from terminal_lego.harness.spending import Spending
from terminal_lego.trajectory import Message

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion


class MeteredClient(OpenAICompatibleClient):
    """When the server says how long to wait (HTTP 429 with Retry-After), all conversations wait so long.

    That is no failed attempt: only a limit that lies beyond the time of the call is left to its retries.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        spending: Spending,
        clock: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        super().__init__(model, base_url, **options)
        self._spending, self._clock = spending, clock
        self._open_at = -math.inf

    def _create(self, messages: list[Message], timeout: float) -> "ChatCompletion":
        from openai import RateLimitError

        end = self._clock() + timeout
        while True:
            if (pause := self._open_at - self._clock()) > 0:
                self._sleep(min(pause, end - self._clock()))
            try:
                response = super()._create(messages, end - self._clock())
            except RateLimitError as error:
                pause = retry_after(error.response.headers.get("retry-after"))
                if pause is None or self._clock() + pause >= end:
                    raise
                self._open_at = max(self._open_at, self._clock() + pause)
                continue
            self._bill(response)
            return response

    def _bill(self, response: "ChatCompletion") -> None:
        usage = getattr(response, "usage", None)  # whether it is a completion at all is checked later
        cost = (getattr(usage, "model_extra", None) or {}).get("cost")
        self._spending.add(
            getattr(usage, "prompt_tokens", None),
            getattr(usage, "completion_tokens", None),
            float(cost) if isinstance(cost, int | float) and math.isfinite(cost) else None,
        )


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which holds them or a date; None when it holds neither."""
    try:
        seconds = float(value or "")
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value or "") - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
