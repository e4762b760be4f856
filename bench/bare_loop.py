"""What our trainer costs beside the least that can train the same model on the same packed batches."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.clock import Took, now
from bench.measuring import alone, on_cores
from bench.training import environment, train
from bench.workload import (
    Work,
    examples,
    load_tokenizer,
    make_base,
    sequences,
    settings,
    student,
    trajectories,
)
from terminal_lego.rendering.example import Example
from train import model
from train.config import SftConfig
from train.loss import make_trainer, weighted_loss
from train.packing import Collator
from train.scale_config import ParallelConfig, TuningConfig

HEAD = ("log_probs", "entropy", "is_top1")
"""What TRL's trainer asks its head for; a loop that asked for less would compute less."""


@dataclass(frozen=True)
class Overhead:
    """What a step took in each round, and the mean loss of the warm-up, on both sides."""

    ours: tuple[Took, ...]
    bare: tuple[Took, ...]
    losses: tuple[float, float]

    @property
    def ratio(self) -> Took:
        """Ours per bare: the medians over rounds of the ratios within a round."""
        pairs = list(zip(self.ours, self.bare, strict=True))
        return Took(
            statistics.median(one.seconds / other.seconds for one, other in pairs),
            statistics.median(one.cpu / other.cpu for one, other in pairs),
        )


def measure(work: Work, folder: Path, threads: int, count: int) -> Overhead:
    """In one fresh process, both sides in turn, first one and then the other in front."""
    base = make_base(work, folder)
    return alone(on_cores, threads, _compare, work, base, count, **environment(threads)).result


def bare(given: Sequence[Example], base: Path, config: SftConfig, warm_up: int) -> tuple[Took, float]:
    """Trains without a trainer. What it took after the warm-up, and the mean loss within it."""
    import torch
    from transformers import get_scheduler
    from trl.trainer.utils import add_fused_lm_head

    make_trainer()  # for what it does to TRL's head on a CPU
    trained = model.load(student(base), TuningConfig(), ParallelConfig()).train()
    add_fused_lm_head(trained, outputs=HEAD)
    collator = Collator(given, pad_id=load_tokenizer().pad_token_id, packed=True)
    order = sequences([len(example.input_ids) for example in given], config)
    optimiser = torch.optim.AdamW(
        trained.parameters(),
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        weight_decay=config.weight_decay,
        fused=True,
    )
    schedule = get_scheduler(config.scheduler, optimiser, num_warmup_steps=0, num_training_steps=len(order))
    losses = []
    for step, rows in enumerate(order):
        if step == warm_up:
            begun = now()
        batch = collator([{"rows": rows}])
        weights = batch.pop("shift_weights")
        outputs = trained(**batch, fused_lm_head=True)
        loss = weighted_loss(outputs.log_probs, weights, weights.sum().item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), config.clip)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        losses.append(loss.detach())
    took = now() - begun
    return took, torch.stack(losses[:warm_up]).mean().item()


def _compare(work: Work, base: Path, count: int) -> Overhead:
    config, given = settings(work, packed=True), examples(trajectories(work)[0])
    steps = len(sequences([len(example.input_ids) for example in given], config)) - work.warm_up
    ours: list[Took] = []
    plain: list[Took] = []

    def train_ours() -> float:
        trained = train(work, base, packed=True)
        ours.append(trained.took / steps)
        return trained.loss

    def train_bare() -> float:
        took, loss = bare(given, base, config, work.warm_up)
        plain.append(took / steps)
        return loss

    sides = [train_ours, train_bare]
    for number in range(count):
        losses = [side() for side in sides]
        if number % 2:
            losses.reverse()
        sides.reverse()
    return Overhead(tuple(ours), tuple(plain), (losses[0], losses[1]))
