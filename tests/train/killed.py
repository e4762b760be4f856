"""`tests.train.together`, killed at the n-th call of a function in one stage of its training.

SETTINGS may say `kill at`: {"rank", "stage", "step", "call", "number"}, the last being the signal that the
process sends itself. The stages are

    start: from the beginning of the training to the first step of this start
    step: forward, backward, the exchange of gradients, the optimiser
    save: writing weights, optimiser and the rest of a checkpoint
    mark: from there until the checkpoint is complete

How many calls of Python and C functions each had, the last time, is in FOLDER/calls-<rank> after a start that
nothing ended.
"""

import json
import os
import runpy
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback
from trl import SFTTrainer

from tests.train.dawdling import around
from train import checkpoints, processes, trainer


class Moments(TrainerCallback):
    """Counts the calls of each stage; is fatal at one of them, or listens to all when none is."""

    def __init__(self, fatal: dict[str, Any] | None) -> None:
        self.fatal = fatal if fatal and fatal["rank"] == processes.rank() else None
        self.calls: dict[str, int] = {}
        self.stage, self.step, self.count, self.last = "", 0, 0, -1
        trainer.make = around(trainer.make, after=self.made)
        checkpoints.vouch = around(
            checkpoints.vouch, lambda: self.enter("mark"), after=lambda _: self.leave()
        )

    def made(self, made: SFTTrainer) -> None:
        made.add_callback(self)
        made.train = around(made.train, lambda: self.enter("start"))
        made._save_checkpoint = around(made._save_checkpoint, lambda: self.enter("save"))

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.step = state.global_step + 1
        self.enter("step")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.leave()

    def enter(self, stage: str) -> None:
        self.leave()
        self.stage, self.count, self.last = stage, 0, -1
        if self.fatal is None:
            sys.setprofile(self.hear)
        elif self.fatal["stage"] == stage and (stage == "start" or self.fatal["step"] == self.step):
            self.last = self.fatal["call"]
            sys.setprofile(self.hear)

    def leave(self) -> None:
        sys.setprofile(None)
        self.calls[self.stage] = self.count
        if self.count < self.last:  # the stage was shorter than the last time
            self.kill()

    def hear(self, frame: FrameType, event: str, value: Any) -> None:
        self.count += event in ("call", "c_call")
        if self.count == self.last:
            sys.setprofile(None)
            self.kill()

    def kill(self) -> None:
        self.last = -1
        os.kill(os.getpid(), self.fatal["number"])


if __name__ == "__main__":
    folder, asked = Path(sys.argv[1]), json.loads(sys.argv[2])
    moments = Moments(asked.get("kill at"))
    runpy.run_module("tests.train.together", run_name="__main__", alter_sys=True)
    (folder / f"calls-{processes.rank()}").write_text(json.dumps(moments.calls))
