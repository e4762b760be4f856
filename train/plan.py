"""What a training will take, from the data set's own lengths, before a GPU is taken; and what it took."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from terminal_lego.report.curve import ticks
from train import processes
from train.config import SftConfig, TrainConfig
from train.hardware import resolve
from train.memory import HEADROOM, Memory, memory, ways_out
from train.model_shape import ModelShape
from train.order import Order, steps_per_epoch
from train.parallel import sequences_per_step
from train.scale_config import HardwareConfig
from train.trainer import packs

PERCENTILES = (5, 25, 50, 75, 95, 99)


@dataclass(frozen=True)
class Plan:
    """None stands for what cannot be known, and `notes` say why.

    Attributes:
        samples, tasks: conversations, and the different tasks they are about.
        tokens, trained_tokens: of one epoch: read, and with a loss weight above 0.
        percentiles: tokens of a conversation; histogram: (from, below, conversations) by length.
        rows: sequences of one epoch: packed ones, or the conversations themselves.
        padding: share of the rows' room that holds no token: room for sft.max_length when they are packed or
            several processes share one, else for the longest in each batch.
        longest_row, batch_tokens: tokens of the longest row, and of the largest micro-batch.
        steps, steps_per_epoch: optimiser steps.
        replicas, gpus: processes with data of their own; GPUs, or processes without one.
        flops, hardware_flops: of the whole training, without and with activation checkpointing's second
            forward; the convention is `ModelShape.flops`.
        balance: share of the time in which no GPU waits for another's longer batch.
        memory_gib: of one GPU.
        seconds: at the expected utilisation. gpu_hours and cost follow from it.
    """

    samples: int
    tasks: int | None
    tokens: int
    trained_tokens: int
    percentiles: dict[str, int]
    histogram: tuple[tuple[int, int, int], ...]
    rows: int
    is_packed: bool
    padding: float
    longest_row: int
    batch_tokens: int
    steps: int
    steps_per_epoch: int
    replicas: int
    gpus: int
    hardware: str
    tflops: float
    utilisation: float
    memory_gib: float
    parameters: int | None
    trained_parameters: int | None
    memory: Memory | None
    flops: float | None
    hardware_flops: float | None
    balance: float | None
    seconds: float | None
    price: float | None
    currency: str
    notes: tuple[str, ...]

    @property
    def epochs(self) -> float:
        return self.steps / self.steps_per_epoch

    @property
    def all_tokens(self) -> float:
        """That are read in the whole training."""
        return self.epochs * self.tokens

    @property
    def flops_per_token(self) -> float | None:
        """The data set's mean: exact over an epoch, near it over some steps."""
        return None if self.flops is None else self.flops / self.all_tokens

    @property
    def peak(self) -> float:
        """Operations per second of all GPUs together, in bf16; 0 when not known."""
        return self.tflops * 1e12 * self.gpus if self.seconds is not None else 0.0

    @property
    def gpu_hours(self) -> float | None:
        return None if self.seconds is None else self.seconds * self.gpus / 3600

    @property
    def cost(self) -> float | None:
        return None if self.gpu_hours is None or self.price is None else self.gpu_hours * self.price


def plan(
    lengths: Sequence[int],
    config: TrainConfig,
    shape: ModelShape | None,
    *,
    trained_tokens: int,
    tasks: int | None = None,
) -> Plan:
    """Args:
    lengths: tokens of each conversation, at least one.
    shape: of the student; None when its family is not known, then neither memory nor time is planned.
    trained_tokens: of all conversations.
    tasks: how many different ones they are about, when known.
    """
    hardware = resolve(config.hardware)
    sft, ranks = config.sft, config.parallel.sequence_parallel
    gpus = _world(config, hardware)
    replicas = max(gpus // ranks, 1)
    sizes = np.asarray(lengths, dtype=np.int64)
    rows = _rows(sizes, sft)
    batches = _batches(rows, config)
    longest = max(int(row.sum()) for row in rows)
    full = sft.packing or ranks > 1
    room = len(rows) * sft.max_length if full else sum(int(batch.sum()) for batch in batches)
    per_epoch = steps_per_epoch(len(rows), sequences_per_step(sft, config.parallel, gpus))
    steps = sft.max_steps if sft.max_steps is not None else math.ceil(sft.epochs * per_epoch)
    epochs = steps / per_epoch
    batch_tokens = (sft.max_length if ranks > 1 else longest) * min(sft.batch_size, len(rows))

    needed = flops = hardware_flops = balance = seconds = None
    if shape is not None:
        needed = memory(shape, config, batch_tokens, gpus)
        flops = epochs * shape.flops(sizes, config.tuning)
        again = config.student.gradient_checkpointing
        hardware_flops = epochs * shape.flops(sizes, config.tuning, recomputed=again)
        work, waiting = _work(batches, shape, config, replicas)
        balance = work / (replicas * waiting)
        if _peak(config, hardware):
            seconds = epochs * waiting / (ranks * _peak(config, hardware) * hardware.utilisation)
    return Plan(
        samples=len(sizes),
        tasks=tasks,
        tokens=int(sizes.sum()),
        trained_tokens=trained_tokens,
        percentiles={f"{share} %": round(float(np.percentile(sizes, share))) for share in PERCENTILES},
        histogram=_histogram(sizes),
        rows=len(rows),
        is_packed=sft.packing,
        padding=1 - int(sizes.sum()) / room,
        longest_row=longest,
        batch_tokens=batch_tokens,
        steps=steps,
        steps_per_epoch=per_epoch,
        replicas=replicas,
        gpus=gpus,
        hardware=hardware.name or "",
        tflops=hardware.tflops,
        utilisation=hardware.utilisation,
        memory_gib=hardware.memory_gib,
        parameters=shape and shape.parameters,
        trained_parameters=shape and shape.trained_parameters(config.tuning),
        memory=needed,
        flops=flops,
        hardware_flops=hardware_flops,
        balance=balance,
        seconds=seconds,
        price=hardware.price,
        currency=hardware.currency,
        notes=tuple(_notes(config, hardware, shape, needed, batch_tokens, gpus)),
    )


def comparison(plan: Plan, *, tokens: float, seconds: float, peak_gib: float | None = None) -> str:
    """What was measured next to what was planned, in one line.

    Args:
        tokens: read by the model, on all GPUs; fewer than planned when an earlier start read the others.
        seconds: that it took.
        peak_gib: the most that any GPU held, None where there is none.
    """
    planned = None if plan.seconds is None else plan.all_tokens / plan.seconds
    hours = None if plan.seconds is None else plan.seconds / 3600
    rate = tokens / seconds
    parts = [
        _against(rate, planned, ",.0f", "tokens/s"),
        _against(plan.all_tokens / rate / 3600, hours, ",.2f", "h for the whole training"),
    ]
    if peak_gib is not None:
        parts.append(_against(peak_gib, plan.memory and plan.memory.total, ",.1f", "GiB per GPU"))
    return f"Measured: {'; '.join(parts)}."


def _against(measured: float, planned: float | None, form: str, unit: str) -> str:
    if planned is None:
        return f"{measured:{form}} {unit} (no plan)"
    return f"{measured:{form}} {unit} (planned {planned:{form}}, {measured / planned - 1:+.0%})"


def _world(config: TrainConfig, hardware: HardwareConfig) -> int:
    if config.parallel.processes is not None:
        return config.parallel.processes * config.parallel.nodes
    return hardware.gpus or config.parallel.nodes


def _peak(config: TrainConfig, hardware: HardwareConfig) -> float:
    """Operations per second of one GPU; 0 when it is not known."""
    return hardware.tflops * 1e12 if hardware.gpus and config.student.precision == "bf16" else 0.0


def _rows(sizes: np.ndarray, sft: SftConfig) -> list[np.ndarray]:
    """The lengths of what each row holds, in an order like that of an epoch."""
    rows = [sizes[row] for row in packs(sizes.tolist(), sft)]
    order = Order(len(rows), 1, steps=len(rows), seed=sft.seed)
    return [rows[index] for index in order]


def _batches(rows: Sequence[np.ndarray], config: TrainConfig) -> list[np.ndarray]:
    """The lengths that each micro-batch computes with: padded to its longest, unless packed.

    Processes that share a sequence need it of one length, so there every row is filled up.
    """
    sft, size = config.sft, config.sft.batch_size
    if config.parallel.sequence_parallel > 1:
        rows = [np.append(row, sft.max_length - row.sum()) for row in rows]
        if not sft.packing:
            rows = [row.sum(keepdims=True) for row in rows]
    joined = [np.concatenate(rows[start : start + size]) for start in range(0, len(rows), size)]
    return joined if sft.packing else [np.full_like(batch, batch.max()) for batch in joined]


def _work(
    batches: Iterable[np.ndarray], shape: ModelShape, config: TrainConfig, replicas: int
) -> tuple[float, float]:
    """FLOPs of an epoch in all, and of the busiest replica from one meeting of all to the next.

    Engines that spread the weights meet in every layer, so each micro-batch takes as long as the longest
    of them; the others meet when a step's gradients are added up.
    """
    together = 1 if config.parallel.engine in ("zero3", "fsdp2") else config.sft.accumulation
    flops = np.array([shape.flops(batch, config.tuning) for batch in batches])
    flops.resize(math.ceil(len(flops) / (replicas * together)) * together * replicas, refcheck=False)
    by_replica = flops.reshape(-1, together, replicas).sum(axis=1)
    return float(flops.sum()), float(by_replica.max(axis=1).sum())


def _histogram(sizes: np.ndarray) -> tuple[tuple[int, int, int], ...]:
    longest = int(sizes.max())
    edges = [round(edge) for edge in ticks(0, longest, 8, whole=True)]
    edges.append(edges[-1] + edges[1] - edges[0] if len(edges) > 1 else longest + 1)
    counts, _ = np.histogram(sizes, edges)
    return tuple(zip(edges, edges[1:], map(int, counts), strict=False))


def _notes(
    config: TrainConfig,
    hardware: HardwareConfig,
    shape: ModelShape | None,
    needed: Memory | None,
    batch_tokens: int,
    gpus: int,
) -> Iterable[str]:
    if shape is None:
        yield (
            f"{config.student.name_or_path} is of a family whose parameters are not counted here: "
            "neither memory nor time is planned."
        )
    elif not hardware.gpus:
        yield f"{hardware.name}: how fast it is is not known, so no time is planned; name one with hardware=."
    elif config.student.precision != "bf16":
        yield f"No time is planned: the peak of {hardware.name} is known for bf16, not for fp32."
    elif not hardware.tflops:
        yield f"No time is planned: the peak of {hardware.name} is not known; set hardware.tflops."
    if 0 < hardware.gpus < gpus:
        yield f"{gpus} processes are planned for {hardware.gpus} GPUs: lower parallel.processes or nodes."
    if needed and hardware.memory_gib and not needed.fits(hardware.memory_gib):
        ways = ways_out(shape, config, batch_tokens, gpus, hardware.memory_gib)
        rescue = f"it would with {', or with '.join(ways)}" if ways else "take more or larger GPUs"
        yield (
            f"It will not fit: {needed.total:.1f} GiB are needed, and {HEADROOM:.0%} of a GPU's "
            f"{hardware.memory_gib:.1f} GiB can be counted on; {rescue}, or lower sft.max_length."
        )
    if config.parallel.offload and shape is not None:
        yield "Offloading takes time that is not counted: optimiser state moves, and the CPU runs Adam."
    if config.selection.matched:
        what = "tasks are matched" if config.sft.packing else "tasks, samples and steps are matched"
        yield f"Between teachers {what}; tokens{' and steps' if config.sft.packing else ''} are not."
    started = processes.world()
    if not config.dry_run and config.hardware.gpus and started != gpus:
        here, there = (sequences_per_step(config.sft, config.parallel, count) for count in (started, gpus))
        yield (
            f"The plan counts with {gpus} GPUs, but this run has {started} process"
            f"{'' if started == 1 else 'es'}: its steps hold {here:,} sequences, not {there:,}; "
            "set sft.accumulation for as many, and hardware= to what it runs on."
        )
