"""`terminal-lego tasks check FOLDER`."""

import argparse
from pathlib import Path

from terminal_lego.cli.tables import print_table
from terminal_lego.errors import TaskError


def add(rooms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = rooms.add_parser("tasks", help="task folders in Terminal-Bench 2 layout: check")
    actions = parser.add_subparsers(required=True, metavar="action")
    check = actions.add_parser("check", help="read every task and say what is wrong")
    check.add_argument("folder", type=Path, help="one task, or a folder of tasks")
    check.set_defaults(run=_check)


def _check(chosen: argparse.Namespace) -> int:
    from terminal_lego.task import read_task

    rows, faults = [], []
    for folder in _folders(chosen.folder):
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
        print_table(("task", "environment", "agent s", "verifier s"), rows)
    for fault in faults:
        print(f"wrong: {fault}")
    print(f"{len(rows) + len(faults)} tasks: {len(rows)} in order, {len(faults)} not.")
    return 1 if faults else 0


def _folders(path: Path) -> list[Path]:
    if not path.is_dir():
        raise TaskError(f"{path} is not a folder: give a task folder, or a folder of them.")
    if (path / "task.toml").exists():
        return [path]
    folders = sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    if not folders:
        raise TaskError(f"{path} holds no task: a task is a folder with a task.toml.")
    return folders
