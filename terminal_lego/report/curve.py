"""Geometry of the loss curve: numbers in, SVG coordinates out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 30.0, 14.0, 52.0


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Curve:
    """`lines` are SVG point lists; a loss that is not finite ends one and is counted in `skipped`."""

    lines: tuple[str, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    description: str
    skipped: int
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


def draw(losses: Sequence[tuple[int, float]]) -> Curve | None:
    """Lay out (step, loss) pairs; None when no loss is finite. The loss axis starts at 0 or below."""
    finite = [(step, loss) for step, loss in losses if math.isfinite(loss)]
    if not finite:
        return None
    steps, values = [step for step, _ in finite], [loss for _, loss in finite]
    x_low, x_high = _span(min(steps), max(steps))
    y_low, y_high = _span(min(0.0, *values), max(values))

    def x(step: float) -> float:
        return round(LEFT + (step - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT), 1)

    def y(loss: float) -> float:
        return round(HEIGHT - BOTTOM - (loss - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM), 1)

    lines: list[list[str]] = [[]]
    for step, loss in losses:
        if math.isfinite(loss):
            lines[-1].append(f"{x(step)},{y(loss)}")
        else:
            lines.append([])
    (first_step, first), (last_step, last) = finite[0], finite[-1]
    return Curve(
        lines=tuple(" ".join(points) for points in lines if points),
        x_ticks=tuple(Tick(x(value), f"{value:,.10g}") for value in ticks(x_low, x_high, whole=True)),
        y_ticks=tuple(Tick(y(value), f"{value:.10g}") for value in ticks(y_low, y_high)),
        description=f"Loss {first:.4g} at step {first_step:,}, {last:.4g} at step {last_step:,}",
        skipped=len(losses) - len(finite),
    )


def ticks(low: float, high: float, count: int = 5, whole: bool = False) -> list[float]:
    """Round values (1, 2 or 5 times a power of ten apart) within [low, high], about `count` of them."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    if whole:
        step = max(1.0, step)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _span(low: float, high: float) -> tuple[float, float]:
    """Two different ends, also for a single value."""
    return (low, high) if high > low else (low, low + 1.0)
