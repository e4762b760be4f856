"""`terminal-lego trajectories stats SOURCE…`: counts by model."""

import argparse
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from terminal_lego.cli.sources import add_sources, read_all
from terminal_lego.cli.tables import print_table

if TYPE_CHECKING:
    from terminal_lego.trajectory import Trajectory


@dataclass
class _Count:
    tasks: set[str] = field(default_factory=set)
    passed: int = 0
    failed: int = 0
    without_reward: int = 0
    ended_early: int = 0
    turns: list[int] = field(default_factory=list)

    def add(self, trajectory: "Trajectory") -> None:
        """A trial passed when its reward is at least 1."""
        self.tasks.add(trajectory.task)
        self.without_reward += trajectory.reward is None
        self.passed += trajectory.reward is not None and trajectory.reward >= 1
        self.failed += trajectory.reward is not None and trajectory.reward < 1
        self.ended_early += trajectory.exception is not None
        self.turns.append(len(trajectory.turns))

    def row(self) -> tuple[str, ...]:
        counts = (len(self.turns), len(self.tasks), self.passed, self.failed, self.without_reward)
        middle, span = f"{statistics.median(self.turns):g}", f"{min(self.turns)}-{max(self.turns)}"
        return (*(f"{count:,}" for count in (*counts, self.ended_early)), middle, span)


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = actions.add_parser("stats", help="count them by model, and what was set aside and why")
    add_sources(parser)
    parser.set_defaults(run=_run)


def _run(chosen: argparse.Namespace) -> int:
    by_model: dict[str, _Count] = defaultdict(_Count)
    for trajectory in read_all(chosen.sources):
        by_model[trajectory.model or "unknown"].add(trajectory)
    if by_model:
        names = ("model", "trials", "tasks", "passed", "failed", "no reward", "ended early", "turns", "range")
        print_table(names, [(model, *by_model[model].row()) for model in sorted(by_model)])
    return 0
