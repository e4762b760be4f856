"""What a task may ask of the harness: refuse the rest before a container is touched."""

import os
import re
from collections.abc import Mapping

from terminal_lego.errors import TaskError
from terminal_lego.task import Task

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def check_supported(task: Task) -> None:
    """Raises TaskError naming the first thing in the task that cannot be run here."""
    environment = task.config.environment
    artifacts = [entry for part in (task, *task.steps) for entry in part.config.artifacts]
    refused = {
        "a compose file (several containers)": any(task.environment.glob("*compose.y*ml")),
        "an artifact or hook of another service": any(
            getattr(entry, "service", None) not in (None, "main")
            for entry in (*artifacts, *task.config.verifier.collect)
        ),
        "gpus or tpu": bool(environment.gpus or environment.tpu),
    }
    for what, present in refused.items():
        if present:
            raise TaskError(f"{task.path}: {what} cannot run here; leave this task out.")
    if not environment.docker_image and not (task.environment / "Dockerfile").is_file():
        raise TaskError(f"{task.path}: add environment/Dockerfile or set environment.docker_image.")
    for part in task.steps or (task,):
        for table in (environment.env, part.config.verifier.env, part.config.solution.env):
            expand(table, task)


def expand(table: Mapping[str, str], task: Task) -> dict[str, str]:
    """Fill `${NAME}` and `${NAME:-default}` from the host's environment; TaskError when NAME is not set."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], match[2])
        if found is None:
            raise TaskError(f"{task.path / 'task.toml'}: ${{{match[1]}}} is not set; export it.")
        return found

    return {name: _VARIABLE.sub(value, text) for name, text in table.items()}
