"""`terminal-lego`: look after the engine, check tasks, look at trajectories."""

import argparse
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego import __version__
from terminal_lego.errors import TaskError, TerminalLegoError

if TYPE_CHECKING:
    from terminal_lego.trajectory import Trajectory


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, 1 when something checked is not in order, 2 for a mistake in the call."""
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.run(chosen)
    except TerminalLegoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="terminal-lego",
        description="What stands beside training and evaluation (`python -m train`, `python -m eval`).",
    )
    parser.add_argument("--version", action="version", version=f"terminal-lego {__version__}")
    rooms = parser.add_subparsers(required=True, metavar="command")

    engine = rooms.add_parser("engine", help="the Docker engine that trials run on: up, status, down")
    engine.add_argument("action", choices=("up", "status", "down"))
    engine.set_defaults(run=_engine)

    tasks = rooms.add_parser("tasks", help="task folders in Terminal-Bench 2 layout: check")
    actions = tasks.add_subparsers(required=True, metavar="action")
    check = actions.add_parser("check", help="read every task and say what is wrong")
    check.add_argument("folder", type=Path, help="one task, or a folder of tasks")
    check.set_defaults(run=_check_tasks)

    trajectories = rooms.add_parser("trajectories", help="trajectories in any readable format: stats")
    actions = trajectories.add_subparsers(required=True, metavar="action")
    stats = actions.add_parser("stats", help="count them by model, and what was set aside and why")
    stats.add_argument("path", type=Path, help="a file, a Harbor job folder, or a folder of them")
    stats.set_defaults(run=_trajectory_stats)
    return parser


def _engine(chosen: argparse.Namespace) -> int:
    from terminal_lego.harness import engine

    return engine.main([chosen.action])


def _check_tasks(chosen: argparse.Namespace) -> int:
    from terminal_lego.task import read_task

    rows, faults = [], []
    for folder in _task_folders(chosen.folder):
        try:
            config = read_task(folder).config
        except TaskError as error:
            faults.append(str(error))
            continue
        limit = config.agent.timeout_sec
        image = config.environment.docker_image or "Dockerfile"
        agent_seconds = "unlimited" if limit is None else f"{limit:g}"
        rows.append((folder.name, image, agent_seconds, f"{config.verifier.timeout_sec:g}"))
    if rows:
        _print_table(("task", "environment", "agent s", "verifier s"), rows)
    for fault in faults:
        print(f"wrong: {fault}")
    print(f"{len(rows) + len(faults)} tasks: {len(rows)} in order, {len(faults)} not.")
    return 1 if faults else 0


def _task_folders(path: Path) -> list[Path]:
    if not path.is_dir():
        raise TaskError(f"{path} is not a folder: give a task folder, or a folder of them.")
    if (path / "task.toml").exists():
        return [path]
    folders = sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    if not folders:
        raise TaskError(f"{path} holds no task: a task is a folder with a task.toml.")
    return folders


def _trajectory_stats(chosen: argparse.Namespace) -> int:
    from terminal_lego.formats import read_trajectories

    result = read_trajectories(chosen.path)
    read, aside = len(result.trajectories), len(result.set_aside)
    print(f"{read + aside} met: {read} read, {aside} set aside.")
    by_model = defaultdict(list)
    for trajectory in result.trajectories:
        by_model[trajectory.model or "unknown"].append(trajectory)
    if by_model:
        names = ("model", "trials", "tasks", "passed", "failed", "no reward", "ended early", "turns", "range")
        _print_table(names, [_count(model, by_model[model]) for model in sorted(by_model)])
    example = {row.reason: row.source for row in reversed(result.set_aside)}
    for reason, count in Counter(row.reason for row in result.set_aside).most_common():
        print(f"set aside {count}: {reason} (for example {example[reason]})")
    return 0


def _count(model: str, trials: "Sequence[Trajectory]") -> tuple[str, ...]:
    """A row of the table by model; a trial passed when its reward is at least 1, turns are the median."""
    rewards = [trial.reward for trial in trials if trial.reward is not None]
    passed = sum(reward >= 1 for reward in rewards)
    turns = [len(trial.turns) for trial in trials]
    tasks = len({trial.task for trial in trials})
    early = sum(trial.exception is not None for trial in trials)
    counts = (len(trials), tasks, passed, len(rewards) - passed, len(trials) - len(rewards), early)
    return (model, *map(str, counts), f"{statistics.median(turns):g}", f"{min(turns)}-{max(turns)}")


def _print_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column to the left, the others to the right; never cut, so that it can be searched."""
    widths = [max(len(row[column]) for row in (names, *rows)) for column in range(len(names))]
    for row in (names, *rows):
        cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        print("  ".join((row[0].ljust(widths[0]), *cells)))


if __name__ == "__main__":
    sys.exit(main())
