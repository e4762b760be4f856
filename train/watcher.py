"""What happens beside the steps of a training: metrics, checkpoints that count, a stop when asked for."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import StudentError
from train import checkpoints, processes
from train.interruption import Interruption
from train.metrics import Clipping, LossProbe, Throughput
from train.parallel import check_engine
from train.progress import TrainingProgress
from train.trainer import Plan

if TYPE_CHECKING:
    from transformers import TrainerCallback
    from trl import SFTTrainer

OnLog = Callable[[int, dict[str, float]], None]
LOGGED = ("loss", "learning_rate", "mean_token_accuracy", "trained_weight")


@dataclass(frozen=True)
class Measured:
    """What the steps of one start took, saving included.

    Attributes:
        read: tokens that all processes together read, padding left out.
        peak_gib: the most that any GPU held; None without one.
    """

    read: int = 0
    seconds: float = 0.0
    peak_gib: float | None = None


def watcher(
    trainer: "SFTTrainer",
    plan: Plan,
    start: int,
    on_log: OnLog,
    throughput: Throughput,
    interruption: Interruption,
    progress: TrainingProgress,
) -> "TrainerCallback":
    """The trainer's callback; every process has one, the main one's logs.

    Its `stopped_by` is the signal that ended the training, 0 for none; `measured` what the steps took.

    Raises, out of the training: StudentError when the loss is no number, ConfigError for another engine than
    was asked for.
    """
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        def __init__(self) -> None:
            self.stopped_by = 0
            self.measured = Measured()
            self._loss: float | None = None
            self._engine: str | None = None
            self._step_tokens = plan.step_tokens(start)
            self._read = 0
            self._clipping = Clipping(plan.config.clip)
            # Processes that share a sequence hold pieces of it; the probe reads whole ones.
            self._probe = None if plan.parallel.sequence_parallel > 1 else LossProbe(plan.examples)

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._began = time.monotonic()
            throughput.start()
            for logs in state.log_history:  # of earlier starts
                if "grad_norm" in logs:
                    self._clipping.add(logs["grad_norm"])

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if start and state.global_step == start:
                # Again: the trainer did before its loader drew a number, and dropout would go on elsewhere.
                trainer._load_rng_state(str(plan.folder / f"checkpoint-{start}"))

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
            if "loss" not in logs:
                return
            self._loss = logs["loss"]
            metrics = {f"train/{key}": float(logs[key]) for key in LOGGED if key in logs}
            metrics |= self._clipping.add(float(logs["grad_norm"])) if "grad_norm" in logs else {}
            metrics |= throughput.read(self._read)
            metrics["train/epoch"] = state.global_step / plan.steps_per_epoch
            self._log(state.global_step, metrics)
            if warning := self._clipping.warning():
                progress.say(warning)
            if not math.isfinite(self._loss):
                raise StudentError(
                    f"the loss at step {state.global_step} is {self._loss}; "
                    "lower sft.learning_rate or sft.clip."
                )

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._engine = self._engine or check_engine(trainer, plan.parallel)
            self._read += next(self._step_tokens)
            progress.update(state.global_step, self._loss)
            self.stopped_by = interruption.agreed()
            if self.stopped_by:
                control.should_save = control.should_training_stop = True
            if control.should_training_stop:
                control.should_log = True

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            checkpoints.vouch(checkpoint, plan.identity | {"engine": self._engine})
            if self._probe and not self.stopped_by:  # who asks to stop does not wait for a figure
                precision = plan.student.precision
                self._log(state.global_step, self._probe.measure(trainer.model, precision=precision))

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.measured = Measured(self._read, time.monotonic() - self._began, _peak_gib())

        def _log(self, step: int, metrics: dict[str, float]) -> None:
            if processes.is_main():
                on_log(step, metrics)

    return Watcher()


def _peak_gib() -> float | None:
    """Of the GPU that held the most. All processes must ask."""
    import torch

    if not torch.cuda.is_available():
        return None
    return processes.highest(torch.cuda.max_memory_allocated()) / 2**30
