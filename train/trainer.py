"""TRL's trainer, told what to do by a `Plan`."""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.rendering.cache import Examples
from terminal_lego.rendering.example import Example
from train import model, processes
from train.config import SftConfig, StudentConfig
from train.loss import make_trainer
from train.order import Order, steps_per_epoch
from train.packing import Collator, dataset, pack
from train.parallel import sequences_per_step, trainer_arguments
from train.scale_config import ParallelConfig, TuningConfig

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase
    from trl import SFTTrainer

# Settings that change neither what is learnt from, nor how; some of them count through `per_step`.
_FREE = ("batch_size", "accumulation", "logging_steps", "save_steps")


class Plan:
    """What a training is going to do, the same in every process.

    Attributes:
        packs: the examples (their indices) of each sequence that is trained on; one each unless packing.
        tokens, trained_tokens: of all examples.
        pack_tokens: of each pack, and 0 for the empty one that fills up a step.
        per_step: sequences of an optimiser step, over all processes and micro-batches.
        steps: optimiser steps of the whole training.
        identity: what a checkpoint must agree in to be continued from.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        student: StudentConfig,
        tokenizer: "PreTrainedTokenizerBase",
        config: SftConfig,
        folder: Path,
        tuning: TuningConfig,
        parallel: ParallelConfig,
    ) -> None:
        """Args:
        folder: of the checkpoints.
        """
        self.examples, self.student, self.tokenizer, self.config = examples, student, tokenizer, config
        self.folder, self.tuning, self.parallel = folder, tuning, parallel
        lengths = _lengths(examples)
        self.packs = packs(lengths, config)
        self.tokens, self.trained_tokens = sum(lengths), _trained_tokens(examples)
        self.pack_tokens = [*(sum(lengths[row] for row in rows) for rows in self.packs), 0]
        self.per_step = sequences_per_step(config, parallel, processes.world())
        self.steps_per_epoch = steps_per_epoch(len(self.packs), self.per_step)
        self.steps = config.max_steps or math.ceil(config.epochs * self.steps_per_epoch)
        settings = {key: value for key, value in asdict(config).items() if key not in _FREE}
        self.identity = {
            **{f"sft.{key}": value for key, value in settings.items()},
            **{f"tuning.{key}": value for key, value in asdict(tuning).items()},
            "student.name_or_path": student.name_or_path,
            "student.precision": student.precision,
            "parallel.engine": parallel.engine,
            "parallel.sequence_parallel": parallel.sequence_parallel,
            "processes": processes.world(),
            "examples": len(examples),
            "tokens": self.tokens,
            "sequences per step": self.per_step,
        }

    def order(self, start: int) -> Order:
        """Which pack is trained on when, from optimiser step `start` on."""
        return Order(len(self.packs), self.per_step, self.steps, self.config.seed, start)

    def step_tokens(self, start: int) -> Iterator[int]:
        """Tokens that all processes together read in each step from `start` on, padding left out."""
        indices = iter(self.order(start))
        while step := list(islice(indices, self.per_step)):
            yield sum(self.pack_tokens[index] for index in step)


def make(plan: Plan, *, start: int) -> "SFTTrainer":
    """The trainer, which takes the examples from step `start` on."""
    import torch
    from transformers import PrinterCallback, ProgressCallback

    order = plan.order(start)
    # Of accelerate's own default, which DeepSpeed's setting replaces.
    logging.getLogger("accelerate.accelerator").addFilter(
        lambda record: "Gradient accumulation steps mismatch" not in record.getMessage()
    )

    class Trainer(make_trainer()):
        def _get_train_sampler(self, train_dataset: "Dataset | None" = None) -> Iterable[int]:
            return order

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """None per checkpoint: it repeats the run directory, and asks W&B for addresses."""

    # Before the model is made: with ZeRO-3 the arguments decide that it is shared out while it is loaded.
    arguments = _arguments(plan)
    torch.manual_seed(plan.config.seed)  # of the adapters
    trainer = Trainer(
        model=model.load(plan.student, plan.tuning, plan.parallel),
        args=arguments,
        data_collator=_collator(plan),
        train_dataset=dataset(plan.packs),
        processing_class=plan.tokenizer,
    )
    for printer in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(printer)
    return trainer


def _arguments(plan: Plan) -> Any:
    import torch
    from trl import SFTConfig

    config, on_gpu = plan.config, torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(plan.folder),
        max_steps=plan.steps,
        ignore_data_skip=True,  # the order starts where it should
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
        bf16=plan.student.precision == "bf16",
        use_cpu=not on_gpu,
        activation_checkpointing=plan.student.gradient_checkpointing,
        # Examples longer than sft.max_length were dropped whole; the trainer must not cut any.
        max_length=None,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        dataloader_pin_memory=on_gpu,
        report_to="none",
        **trainer_arguments(plan.parallel, on_gpu=on_gpu, attention=model.attention()),
    )


def packs(lengths: Sequence[int], config: SftConfig) -> list[list[int]]:
    """Which examples, of `lengths` tokens, make up each sequence that is trained on."""
    return pack(lengths, config.max_length) if config.packing else [[row] for row in range(len(lengths))]


def _collator(plan: Plan) -> Collator:
    # Processes that share a sequence hand each other pieces of it, which must be of one length and tensors.
    is_shared = plan.parallel.sequence_parallel > 1
    return Collator(
        plan.examples,
        pad_id=plan.tokenizer.pad_token_id or 0,
        packed=plan.config.packing,
        multiple=plan.config.max_length if is_shared else 1,
        borders=not is_shared,
    )


def _lengths(examples: Sequence[Example]) -> Sequence[int]:
    return examples.lengths if isinstance(examples, Examples) else [len(e.input_ids) for e in examples]


def _trained_tokens(examples: Sequence[Example]) -> int:
    if isinstance(examples, Examples):
        return examples.trained_tokens
    return sum(example.trained_tokens for example in examples)
