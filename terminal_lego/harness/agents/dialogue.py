"""The conversation as the model sees it, and what keeps it within the model's context.

User and assistant alternate, there is no system message, assistant texts stay exactly as they came and
reasoning is left out.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from terminal_lego.errors import ContextLengthExceededError, ModelUnavailableError
from terminal_lego.harness.agents.record import Record
from terminal_lego.harness.agents.summary import FAILURES, Summarizer, assistant, user, whole
from terminal_lego.harness.clients import ChatClient, Completion
from terminal_lego.harness.deadline import Deadline
from terminal_lego.harness.profile import Profile
from terminal_lego.trajectory import Message

RESERVE, FREED = 8_000, 4_000
"""Tokens: with fewer free a summary comes before the next call; so many are freed once a call did not fit."""

SHARE = 4
"""A small context keeps this part of itself free, not more."""

UNKNOWN_CONTEXT = 1_000_000


class Dialogue:
    """Asks the model with the whole history each time, and shortens the history when it must.

    Args:
        instruction: the task's own, for summaries.
        screen: the visible rows of the terminal, for summaries.
        summarize: whether a conversation that fills the context is summarised, or ends.
    """

    def __init__(
        self,
        client: ChatClient,
        profile: Profile,
        record: Record,
        deadline: Deadline,
        *,
        instruction: str,
        screen: Callable[[], str],
        summarize: bool,
    ) -> None:
        self._client, self._profile, self._record, self._deadline = client, profile, record, deadline
        self._instruction, self._summarize = instruction, summarize
        self._summarizer = Summarizer(self._call, profile, record, instruction, screen)
        self._messages: list[Message] = []
        self._first = ""

    def ask(self, prompt: str) -> Completion:
        """The reply to `prompt`, or to what takes its place after a summary.

        Raises:
            AgentTimeoutError, ModelUnavailableError.
            ContextLengthExceededError: the conversation does not fit, and nothing made it fit.
        """
        if self._summarize:
            prompt = self._make_room(prompt)
        while True:
            try:
                completion = self._say(prompt)
            except ContextLengthExceededError:
                if not self._summarize or not (self._messages or self._has("empty-summary")):
                    raise
                return self._recover()
            if completion.finish_reason != "length" or not self._has("uncounted-length-turns"):
                return completion
            prompt = self._profile.length(self._client.output_limit, self._profile.parse(completion.text))
            self._record.observation(prompt)

    def _say(self, prompt: str) -> Completion:
        messages = [*self._messages, user(prompt)]
        completion, seconds = self._call(messages)
        if completion.finish_reason == "length" and (part := self._profile.salvage(completion.text)):
            completion = replace(completion, text=part, finish_reason="stop")
        if completion.reasoning and not self._has("line-breaks-of-thoughts"):
            completion = replace(completion, text=completion.text.lstrip("\n"))
        return self._keep(messages, completion, seconds)

    def _keep(self, messages: list[Message], completion: Completion, seconds: float) -> Completion:
        self._record.reply(messages, completion, seconds)
        self._first = self._first if self._messages else messages[0]["content"]
        self._messages = [*messages, assistant(completion.text)]
        return completion

    def _call(self, messages: list[Message]) -> tuple[Completion, float]:
        self._deadline.check()
        started = time.monotonic()
        try:
            completion = self._client.complete(messages, timeout=self._deadline.timeout())
        except ModelUnavailableError:
            self._deadline.check()
            raise
        return completion, time.monotonic() - started

    def _make_room(self, prompt: str) -> str:
        """Summarise while a call still fits; the prompt then takes the place of what would have been said."""
        context = self._client.context
        if context is None:
            return prompt
        reserve = RESERVE if self._has("fixed-reserve") else min(RESERVE, context // SHARE)
        if context - self._client.count(self._messages) >= reserve:
            return prompt
        if not self._messages:
            return self._instruction if self._has("empty-summary") else prompt
        with suppress(*FAILURES):
            self._messages, prompt = self._summarizer.full(self._messages, self._first)
        return prompt

    def _recover(self) -> Completion:
        """A call did not fit: forget the last turns, go on from the best summary that can be had."""
        self._forget()
        prompt = self._shortest_way()
        if not self._has("apology"):
            return self._say(prompt)
        messages = [*self._messages, user(prompt)]
        try:
            completion, seconds = self._call(messages)
            whole(completion)
        except FAILURES:
            completion = Completion(self._profile.apology)
            self._record.reply(messages, completion, 0.0, is_raw=False)
            return completion
        return self._keep(messages, completion, seconds)

    def _shortest_way(self) -> str:
        if not self._messages:
            return self._instruction
        try:
            self._messages, prompt = self._summarizer.full(self._messages, self._first)
            return prompt
        except FAILURES:
            pass
        try:
            return self._summarizer.short()
        except FAILURES:
            return self._summarizer.bare()

    def _forget(self) -> None:
        """Drop turns from the end until enough is free."""
        context, freed, kept = self._client.context, FREED, 2
        if context is None and self._has("million-token-context"):
            context = UNKNOWN_CONTEXT
        if context is None:
            context = self._client.count(self._messages)
        if not self._has("fixed-reserve"):
            freed = min(freed, context // (2 * SHARE))
        if self._has("empty-summary"):
            kept = 1
        while len(self._messages) > kept and context - self._client.count(self._messages) < freed:
            self._messages = self._messages[:-2]

    def _has(self, quirk: str) -> bool:
        return quirk in self._profile.quirks
