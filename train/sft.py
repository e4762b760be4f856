"""Supervised fine-tuning through TRL, resumable, on tokens and labels that are final already."""

import json
import math
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import StudentError
from terminal_lego.json_files import write_json
from terminal_lego.rendering.cache import Examples
from terminal_lego.rendering.example import Example
from terminal_lego.rendering.tokenizer import load_tokenizer as load_by_name
from train.config import SftConfig, StudentConfig
from train.progress import TrainingProgress

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, TrainerState

COMPLETE = "complete"
"""Written into a checkpoint folder last: one without it was interrupted and is not continued from."""


OUTCOME = "outcome.json"
"""Written into the student's folder last: a start that finds it has nothing left to train."""


@dataclass(frozen=True)
class Outcome:
    """What a training came to.

    Attributes:
        path: the student: weights, tokenizer, chat template, generation config.
        steps: optimiser steps in all, earlier starts included.
        tokens: trained tokens (loss weight above 0) that passed through the model, earlier starts included.
        loss: mean over the last logged steps.
    """

    path: Path
    steps: int
    tokens: int
    loss: float


def load_tokenizer(student: StudentConfig) -> "PreTrainedTokenizerBase":
    """Raises StudentError when there is none, or it has no chat template."""
    return load_by_name(student.name_or_path, student.chat_template)


def sft(
    examples: Sequence[Example],
    student: StudentConfig,
    tokenizer: "PreTrainedTokenizerBase",
    config: SftConfig,
    folder: Path,
    *,
    on_log: Callable[[int, dict[str, float]], None],
) -> Outcome:
    """Trains on all examples and saves the student in `folder`.

    A start with checkpoints in `folder` continues from the newest complete one: same next sample, same
    learning rate, same optimiser state. Ctrl-C and SIGTERM save a checkpoint at the next step first.

    Args:
        on_log: called with (optimiser step, metrics) every `config.logging_steps`.

    Raises:
        StudentError: the model cannot be loaded, or the loss is no longer a number.
        KeyboardInterrupt: a signal asked to stop; the checkpoint is written.
    """
    import torch
    from transformers import PrinterCallback, ProgressCallback
    from transformers.utils.logging import disable_progress_bar
    from trl import SFTTrainer

    disable_progress_bar()  # of loading and saving weights; the training has its own
    if (folder / OUTCOME).exists():
        return Outcome(folder, **json.loads((folder / OUTCOME).read_text()))
    torch.manual_seed(config.seed)
    checkpoint = _newest_checkpoint(folder / "checkpoints")
    final = _final_state(checkpoint)
    tokens, trained_tokens = _totals(examples)
    trainer = SFTTrainer(
        model=_load_model(replace(student, name_or_path=str(checkpoint)) if final else student),
        args=_arguments(student, config, folder / "checkpoints"),
        train_dataset=_dataset(examples),
        processing_class=tokenizer,
    )
    for printer in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(printer)
    # A card per checkpoint says nothing that the run directory does not, and asks W&B for addresses.
    trainer.create_model_card = lambda *_, **__: None
    steps = planned_steps(len(examples), config)
    tokens_per_step = tokens / steps_per_epoch(len(examples), config)
    interruption = Interruption()
    if final:  # only the student is not saved yet; `train` would take one step too many
        trainer.state = final
    else:
        with TrainingProgress(steps, tokens_per_step) as progress, interruption:
            trainer.add_callback(_watcher(on_log, interruption, progress))
            trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
    if interruption.asked:
        raise KeyboardInterrupt
    trainer.model.generation_config.eos_token_id = tokenizer.eos_token_id
    trainer.model.generation_config.pad_token_id = tokenizer.pad_token_id
    trainer.model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    figures = {
        "steps": trainer.state.global_step,
        "tokens": round(trainer.state.epoch * trained_tokens),
        "loss": losses[-1],
    }
    write_json(folder / OUTCOME, figures)
    return Outcome(folder, **figures)


def planned_steps(examples: int, config: SftConfig) -> int:
    """Optimiser steps of a whole training on one device."""
    if config.max_steps is not None:
        return config.max_steps
    return math.ceil(config.epochs * steps_per_epoch(examples, config))


def steps_per_epoch(examples: int, config: SftConfig) -> int:
    """Optimiser steps in which every example is seen once; the last one may hold fewer."""
    return math.ceil(math.ceil(examples / config.batch_size) / config.accumulation)


class Interruption:
    """Turns SIGINT and SIGTERM into a wish to stop at the next step, while it is entered.

    A second signal acts as it always does.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._ask) for number in self.SIGNALS}

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _watcher(
    on_log: Callable[[int, dict[str, float]], None], interruption: Interruption, progress: TrainingProgress
) -> "TrainerCallback":
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        loss: float | None = None

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
            if "loss" not in logs:
                return
            self.loss = logs["loss"]
            kept = ("loss", "grad_norm", "learning_rate", "mean_token_accuracy", "epoch")
            on_log(state.global_step, {f"train/{key}": float(logs[key]) for key in kept if key in logs})
            if not math.isfinite(self.loss):
                raise StudentError(
                    f"the loss at step {state.global_step} is {self.loss}; "
                    "lower sft.learning_rate or sft.clip."
                )

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress.update(state.global_step, self.loss)
            if interruption.asked:
                control.should_save = control.should_training_stop = True
            if control.should_training_stop:
                control.should_log = True

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()

    return Watcher()


def _dataset(examples: Sequence[Example]) -> "Dataset":
    """Columns input_ids and labels; those of a file stay there until they are asked for."""
    from datasets import Dataset

    if isinstance(examples, Examples):
        return examples.dataset()
    rows = [{"input_ids": list(e.input_ids), "labels": list(e.labels)} for e in examples]
    return Dataset.from_list(rows)


def _totals(examples: Sequence[Example]) -> tuple[int, int]:
    """All tokens, and those trained."""
    if isinstance(examples, Examples):
        return sum(examples.lengths), examples.trained_tokens
    return sum(len(e.input_ids) for e in examples), sum(e.trained_tokens for e in examples)


def _arguments(student: StudentConfig, config: SftConfig, folder: Path) -> Any:
    import torch
    from trl import SFTConfig

    on_cpu = not torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(folder),
        max_steps=config.max_steps or -1,
        num_train_epochs=config.epochs or 1,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulation,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.scheduler,
        warmup_steps=config.warmup,
        adam_beta1=config.beta1,
        adam_beta2=config.beta2,
        weight_decay=config.weight_decay,
        max_grad_norm=config.clip,
        seed=config.seed,
        data_seed=config.seed,
        logging_steps=config.logging_steps,
        logging_nan_inf_filter=False,  # a loss that is no number must be seen
        save_steps=config.save_steps,
        save_total_limit=2,
        bf16=student.precision == "bf16",
        use_cpu=on_cpu,
        activation_checkpointing=student.gradient_checkpointing,
        # Examples longer than sft.max_length were dropped whole; the trainer must not cut any.
        max_length=None,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        dataloader_pin_memory=not on_cpu,
        report_to="none",
    )


def _load_model(student: StudentConfig) -> "PreTrainedModel":
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if student.precision == "bf16" else torch.float32
    try:
        return AutoModelForCausalLM.from_pretrained(student.name_or_path, dtype=dtype)
    except Exception as error:  # a folder can be broken in many ways
        raise StudentError(
            f"student.name_or_path={student.name_or_path} cannot be loaded ({_first_line(error)}); "
            "give a folder, or a name on a hub that can be reached."
        ) from error


def _newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete one. Half-written ones go: the trainer would count them among those it keeps."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    complete = [path for path in found if (path / COMPLETE).exists()]
    for path in set(found) - set(complete):
        shutil.rmtree(path)
    return complete[-1] if complete else None


def _final_state(checkpoint: Path | None) -> "TrainerState | None":
    """The trainer's state in `checkpoint` if that is the one of the last step."""
    from transformers import TrainerState

    if checkpoint is None:
        return None
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return state if state.global_step >= state.max_steps else None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
