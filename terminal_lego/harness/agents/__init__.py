"""Whoever works on a task inside a sandbox: a model, the reference solution, or nobody."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from terminal_lego.harness.deadline import Deadline

if TYPE_CHECKING:
    from terminal_lego.harness.sandbox import Sandbox
    from terminal_lego.task import Task

__all__ = ["Agent", "AgentResult", "Deadline"]


@dataclass(frozen=True, slots=True)
class AgentResult:
    """What a run used.

    Attributes:
        turns: replies of the model; None for an agent without one.
        prompt_tokens, completion_tokens, cached_tokens: sums over all calls, those for summaries
            included; None when the server did not count.
        summarizations: how often a summary was begun.
    """

    turns: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    summarizations: int = 0


class Agent(Protocol):
    """One agent object runs one trial.

    `run` returns when the agent is done or has given up, writes what it did under `trial_dir/agent`
    as it happens, and raises the family of `TrialError`: AgentTimeoutError and
    ContextLengthExceededError leave a state that can be graded, InfrastructureError does not.
    """

    name: str
    version: str
    model: str | None

    def run(self, task: "Task", sandbox: "Sandbox", trial_dir: Path, deadline: Deadline) -> AgentResult: ...
