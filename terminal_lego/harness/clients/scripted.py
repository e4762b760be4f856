"""A client that follows a policy written in Python: for tests, demonstrations and synthetic teachers."""

from collections.abc import Callable
from dataclasses import dataclass

from terminal_lego.harness.clients import Completion
from terminal_lego.trajectory import Message


@dataclass
class ScriptedClient:
    """Answers with whatever `policy` makes of the conversation so far; its context has no end."""

    policy: Callable[[list[Message]], str]
    model: str = "scripted"
    context: int | None = None
    output_limit: int | None = None

    def complete(self, messages: list[Message], *, timeout: float | None = None) -> Completion:
        return Completion(self.policy(messages))

    def count(self, messages: list[Message]) -> int:
        """Characters, for want of tokens."""
        return sum(len(message["content"]) for message in messages)
