"""What a teacher's calls came to, on disk from the moment they were made."""

import threading
from pathlib import Path

from terminal_lego.json_files import append_line, read_lines

PER = 1_000_000


class Spending:
    """Adds up the calls of all runs of a job, those of trials that were lost included. Safe between threads.

    Args:
        log: one JSON line per call; read first, so that a cap holds for the job and not for one run.
        prices: per million tokens, of the prompt and of the reply; None to take what the server names.
        cap: no trial shall begin once so much is spent; None for no limit.
    """

    def __init__(
        self, log: Path, prices: tuple[float, float] | None = None, cap: float | None = None
    ) -> None:
        self._log, self._prices, self._cap = log, prices, cap
        self._lock = threading.Lock()
        self.prompt_tokens = self.completion_tokens = self.calls = self.unpriced = 0
        self.cost = 0.0
        for call in read_lines(log):
            self._count(call.get("prompt_tokens"), call.get("completion_tokens"), call.get("cost"))

    def add(self, prompt_tokens: int | None, completion_tokens: int | None, cost: float | None) -> None:
        """One call; `cost` is what the server asks for it, if it says so."""
        call = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "cost": cost}
        with self._lock:
            append_line(self._log, call)
            self._count(prompt_tokens, completion_tokens, cost)

    @property
    def enough(self) -> str | None:
        """Why no further trial may begin; None when one may."""
        if self._cap is None:
            return None
        if self.unpriced:
            return (
                f"max_cost={self._cap:g} cannot be kept, as the server does not say what a call costs: "
                "give price_in and price_out"
            )
        if self.cost >= self._cap:
            return f"max_cost={self._cap:g} is reached with {self.cost:.2f} spent: give more to go on"
        return None

    def __str__(self) -> str:
        tokens = f"{self.prompt_tokens:,} tokens in, {self.completion_tokens:,} out"
        priced = self.calls and self.unpriced < self.calls
        return f"{tokens}, cost {self.cost:.2f}" if priced else tokens

    def _count(self, prompt_tokens: int | None, completion_tokens: int | None, cost: float | None) -> None:
        self.calls += 1
        self.prompt_tokens += prompt_tokens or 0
        self.completion_tokens += completion_tokens or 0
        if self._prices and prompt_tokens is not None and completion_tokens is not None:
            of_prompt, of_reply = self._prices
            cost = (prompt_tokens * of_prompt + completion_tokens * of_reply) / PER
        if cost is None:
            self.unpriced += 1
        else:
            self.cost += cost
