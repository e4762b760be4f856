"""Whether the replies that are trained can be read by the agent that the student will be.

A student learns the format of its teacher's replies. Where the agent of the evaluation reads another one, all
that was learnt comes out as parse errors, whatever the loss says.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from terminal_lego.errors import ConfigError
from terminal_lego.rendering.example import Example
from terminal_lego.trajectory import Trajectory, Turn

WARN_BELOW, REFUSE_BELOW = 0.95, 0.5


@dataclass
class Dialect:
    """Replies with a loss weight, and those of them that Terminus-2's parser can read."""

    replies: int = 0
    readable: int = 0

    def add(self, trajectory: Trajectory, example: Example) -> None:
        """`trajectory` as it was rendered to `example`."""
        for turn in _trained(trajectory, example):
            self.replies += 1
            self.readable += not turn.parsed.error

    @property
    def share(self) -> float:
        return self.readable / self.replies if self.replies else 1.0

    def __str__(self) -> str:
        return f"{self.share:.1%} of {self.replies:,} trained replies can be read by the agent."

    def check(self, *, is_evaluated: bool) -> str | None:
        """A warning, or None.

        Raises ConfigError when hardly any can be read and the student is to be evaluated by that agent.
        """
        if self.share >= WARN_BELOW:
            return None
        other = "these replies are in another agent's format, or the selection keeps broken ones"
        if self.share < REFUSE_BELOW and is_evaluated:
            raise ConfigError(
                f"{self} {other}: choose other data or selection.*, or set evaluation=skip and evaluate the "
                "student with the agent it learns from."
            )
        return f"{self} Perhaps {other}."


def _trained(trajectory: Trajectory, example: Example) -> Iterator[Turn]:
    for span in example.spans:
        if span.role == "assistant" and any(example.weights[span.start : span.end]):
            yield trajectory.turns[span.turn]
