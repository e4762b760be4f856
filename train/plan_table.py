"""A plan for people."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from train.plan import Plan

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 40


def plan_table(plan: Plan) -> "Table":
    from rich.table import Table

    table = Table(title="Plan", show_header=False)
    for name, text in _lines(plan):
        table.add_row(name, text)
    table.add_row("lengths", "\n".join(_histogram(plan)))
    return table


def _lines(plan: Plan) -> Iterator[tuple[str, str]]:
    about = "" if plan.tasks is None else f" of {plan.tasks:,} tasks"
    yield "samples", f"{plan.samples:,} conversations{about}"
    share = plan.trained_tokens / plan.tokens
    yield "tokens", f"{plan.tokens:,}, of which {plan.trained_tokens:,} are trained ({share:.1%})"
    kind = "packed rows" if plan.is_packed else "rows, one conversation each"
    yield "rows", f"{plan.rows:,} {kind}; the longest {plan.longest_row:,} tokens; {plan.padding:.1%} padding"
    yield "steps", _steps(plan)
    yield "hardware", plan.hardware + (f", {plan.gpus} processes" if plan.gpus > 1 else "")
    if plan.parameters is not None:
        yield "parameters", f"{plan.parameters:,}, of which {plan.trained_parameters:,} are trained"
    if plan.memory is not None:
        yield "memory per process", _memory(plan)
    if plan.flops is not None:
        again = f"; {plan.hardware_flops:.3g} computed" if plan.hardware_flops != plan.flops else ""
        yield "model FLOPs", f"{plan.flops:.3g}, attention counted as causal{again}"
    yield "time", _time(plan)


def _steps(plan: Plan) -> str:
    return (
        f"{plan.steps:,} steps are {plan.epochs:,.2f} epochs; a step has about "
        f"{plan.samples / plan.steps_per_epoch:,.1f} conversations, "
        f"{plan.tokens / plan.steps_per_epoch:,.0f} tokens"
    )


def _memory(plan: Plan) -> str:
    of = f" of {plan.memory_gib:.1f}" if plan.memory_gib else ""
    parts = ", ".join(f"{name} {gib:.2f}" for name, gib in plan.memory.parts.items() if gib)
    host = f"; and {plan.memory.host:.1f} GiB of the machine's memory" if plan.memory.host else ""
    return f"{plan.memory.total:.2f}{of} GiB at {plan.batch_tokens:,} tokens: {parts}{host}"


def _time(plan: Plan) -> str:
    if plan.seconds is None:
        return "not known"
    long = plan.seconds >= 3600
    shown = f"{plan.seconds / 3600:,.1f} h" if long else f"{plan.seconds / 60:,.1f} min"
    cost = "" if plan.cost is None else f", {plan.cost:,.0f} {plan.currency}"
    return (
        f"{shown}, {plan.gpu_hours:,.1f} GPU-hours{cost} (planned at {plan.utilisation:.0%} of "
        f"{plan.tflops:,.0f} TFLOP/s; {1 - plan.balance:.0%} of it spent waiting for longer batches)"
    )


def _histogram(plan: Plan) -> Iterator[str]:
    yield ", ".join(f"{share} {tokens:,}" for share, tokens in plan.percentiles.items())
    most = max(count for _, _, count in plan.histogram)
    width = max(len(f"{end:,}") for _, end, _ in plan.histogram)
    for start, end, count in plan.histogram:
        yield f"{start:>{width},} to {end:>{width},} {'#' * round(WIDTH * count / most)} {count:,}"
