"""Supervised fine-tuning through TRL, resumable, in one process or many, on tokens that are final already."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.json_files import write_json
from terminal_lego.rendering.example import Example
from terminal_lego.rendering.tokenizer import load_tokenizer as load_by_name
from train import checkpoints, model, order, processes, trainer
from train.config import SftConfig, StudentConfig
from train.interruption import Interruption, Stopped
from train.metrics import Throughput
from train.parallel import refuse_impossible, uses_deepspeed
from train.progress import TrainingProgress
from train.scale_config import ParallelConfig, TuningConfig
from train.watcher import Measured, OnLog, watcher

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, TrainerState

OUTCOME = "outcome.json"
"""Written into the student's folder last: a start that finds it has nothing left to train."""


@dataclass(frozen=True)
class Outcome:
    """What a training came to.

    Attributes:
        path: the student: weights or adapters, tokenizer, chat template, generation config.
        steps: optimiser steps in all, earlier starts included.
        tokens: trained tokens (loss weight above 0) that passed through the model, earlier starts included.
        loss: mean over the last logged steps.
        engine: what held the weights, such as "zero3 over 2 processes", as it was found at work.
        measured: what the steps of the last start took.
    """

    path: Path
    steps: int
    tokens: int
    loss: float
    engine: str
    measured: Measured


def load_tokenizer(student: StudentConfig) -> "PreTrainedTokenizerBase":
    """Raises StudentError when there is none, or it has no chat template."""
    return load_by_name(student.name_or_path, student.chat_template, student.thinking)


def sft(
    examples: Sequence[Example],
    student: StudentConfig,
    tokenizer: "PreTrainedTokenizerBase",
    config: SftConfig,
    folder: Path,
    *,
    tuning: TuningConfig | None = None,
    parallel: ParallelConfig | None = None,
    on_log: OnLog,
    throughput: Throughput | None = None,
) -> Outcome:
    """Trains on all examples and saves the student in `folder`; every process of the run calls it.

    A start with checkpoints in `folder` continues from the newest complete one: same next sample, same
    learning rate, same optimiser state. A signal to any of the processes saves a checkpoint at the next step
    first. Only the main process writes and logs.

    Args:
        on_log: called in the main process with (optimiser step, metrics) every `config.logging_steps`, and
            with the loss on some fixed conversations every `config.save_steps`.
        throughput: knows what the tokens per second mean for the hardware; None for tokens alone.

    Raises:
        StudentError: the model cannot be loaded, the loss is no longer a number, or the disk is full.
        ConfigError: this machine cannot do what was asked, or the checkpoints are of another training.
        Stopped: a signal asked to stop; the checkpoint is written.
    """
    import torch
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # of loading and saving weights; the training has its own
    if (folder / OUTCOME).exists():
        return _outcome(folder)
    tuning, parallel = tuning or TuningConfig(), parallel or ParallelConfig()
    gpus = torch.cuda.device_count()
    refuse_impossible(config, parallel, processes=processes.world(), gpus=gpus)
    model.refuse_untrainable(tuning, parallel, gpus=gpus)
    processes.join(deepspeed=uses_deepspeed(parallel))
    plan = trainer.Plan(examples, student, tokenizer, config, folder / "checkpoints", tuning, parallel)
    checkpoint = checkpoints.newest(plan.folder)
    if checkpoint is not None:
        checkpoints.refuse_another(checkpoint, plan.identity)
    with checkpoints.told_when_full(plan.folder):
        state, measured = checkpoints.final_state(checkpoint), Measured()
        if state is None:
            state, measured = _train(plan, checkpoint, on_log, throughput or Throughput())
        checkpoint = checkpoints.newest(plan.folder)
        if processes.is_main():
            assert checkpoint is not None  # the trainer saves one at its last step
            model.save(checkpoint, folder, student, tuning, tokenizer)
            losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
            figures = {
                "steps": state.global_step,
                "tokens": round(state.global_step / plan.steps_per_epoch * plan.trained_tokens),
                "loss": losses[-1],
                "engine": checkpoints.identity(checkpoint)["engine"],
                "measured": asdict(measured),
            }
            write_json(folder / OUTCOME, figures)
    processes.wait()
    return _outcome(folder)


def planned_steps(examples: int, config: SftConfig, replicas: int = 1) -> int:
    """Optimiser steps of a whole training by `replicas` processes (groups of them that share a sequence)."""
    if config.max_steps is not None:
        return config.max_steps
    return math.ceil(config.epochs * steps_per_epoch(examples, config, replicas))


def steps_per_epoch(examples: int, config: SftConfig, replicas: int = 1) -> int:
    """Optimiser steps in which every example is seen once; the last one may hold fewer."""
    return order.steps_per_epoch(examples, config.batch_size * config.accumulation * replicas)


def _train(
    plan: trainer.Plan, checkpoint: Path | None, on_log: OnLog, throughput: Throughput
) -> "tuple[TrainerState, Measured]":
    """Trains from `checkpoint` to the last step; raises Stopped when a signal came before."""
    from rich.console import Console

    start = checkpoints.steps_done(checkpoint)
    made = trainer.make(plan, start=start)
    console = None if processes.is_main() else Console(quiet=True)
    tokens_per_step = plan.tokens / plan.steps_per_epoch
    with TrainingProgress(plan.steps, tokens_per_step, console) as progress, Interruption() as interruption:
        watching = watcher(made, plan, start, on_log, throughput, interruption, progress)
        made.add_callback(watching)
        made.train(resume_from_checkpoint=checkpoint and str(checkpoint))
    if watching.stopped_by:
        raise Stopped(watching.stopped_by)
    return made.state, watching.measured


def _outcome(folder: Path) -> Outcome:
    figures = json.loads((folder / OUTCOME).read_text())
    return Outcome(folder, **figures | {"measured": Measured(**figures["measured"])})
