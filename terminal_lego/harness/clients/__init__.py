"""Who answers a conversation: a server, a model in this process, or a script."""

from dataclasses import dataclass
from typing import Protocol

from terminal_lego.trajectory import Message

__all__ = ["ChatClient", "Completion"]


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer.

    Attributes:
        text: the assistant message, byte for byte.
        finish_reason: "stop", or "length" when the answer was cut at the output limit.
        prompt_tokens, completion_tokens: as the server counted them.
        reasoning: the model's separate reasoning text; never part of the conversation.
    """

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning: str | None = None


class ChatClient(Protocol):
    model: str

    def complete(self, messages: list[Message], *, timeout: float | None = None) -> Completion:
        """Answer a conversation that ends with a user message.

        Args:
            timeout: seconds for the whole call, retries included; None for no limit.

        Raises:
            ContextLengthExceededError: the conversation does not fit the model.
            ModelUnavailableError: no answer, and no reason to ask again.
        """
        ...
