"""How long a part of a training takes: by the clock on the wall, and on the cores it had."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import TrainerCallback


@dataclass(frozen=True)
class Took:
    """Attributes:
    seconds: on the wall; neighbours on the machine add to it.
    cpu: seconds of all cores together, in this process; neighbours add little.
    """

    seconds: float
    cpu: float

    def __sub__(self, other: "Took") -> "Took":
        return Took(self.seconds - other.seconds, self.cpu - other.cpu)

    def __truediv__(self, count: int) -> "Took":
        return Took(self.seconds / count, self.cpu / count)


def now() -> Took:
    """Since some moment; two of them make a difference."""
    return Took(time.perf_counter(), time.process_time())


def make_clock(warm_up: int) -> "TrainerCallback":
    """A callback for the trainer of transformers, whichever version.

    Its `took` is from the end of step `warm_up` to the end of the last one, its `history` what was logged.
    """
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.begun = self.took = Took(0, 0)
            self.history: list[dict[str, float]] = []

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == warm_up:
                self.begun = now()
            self.took = now() - self.begun

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.history = state.log_history

    return Clock()
