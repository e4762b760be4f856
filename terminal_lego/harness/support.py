"""What a task may ask of the harness: refuse the rest before a container is touched."""

import os
import re
from collections.abc import Mapping

from terminal_lego.errors import TaskError
from terminal_lego.task import Task

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def check_supported(task: Task) -> None:
    """Raises TaskError naming the first thing in the task that cannot be run here."""
    config, environment = task.config, task.config.environment
    refused = {
        "a compose file": any(task.environment.glob("*compose.y*ml")),
        'network_mode = "allowlist"': environment.network_mode == "allowlist",
        "a network mode of its own for the agent or the verifier": any(
            phase.network_mode not in (None, environment.network_mode)
            for phase in (config.agent, config.verifier)
        ),
        'verifier.environment_mode = "separate"': config.verifier.environment_mode == "separate",
        "gpus or tpu": bool(environment.gpus or environment.tpu),
        "mcp_servers": bool(environment.mcp_servers),
        "skills_dir": environment.skills_dir is not None,
    }
    for what, present in refused.items():
        if present:
            raise TaskError(f"{task.path}: {what} is not supported yet; leave this task out.")
    if not environment.docker_image and not (task.environment / "Dockerfile").is_file():
        raise TaskError(f"{task.path}: add environment/Dockerfile or set environment.docker_image.")
    for table in (environment.env, config.verifier.env, config.solution.env):
        expand(table, task)


def expand(table: Mapping[str, str], task: Task) -> dict[str, str]:
    """Fill `${NAME}` and `${NAME:-default}` from the host's environment; TaskError when NAME is not set."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], match[2])
        if found is None:
            raise TaskError(f"{task.path / 'task.toml'}: ${{{match[1]}}} is not set; export it.")
        return found

    return {name: _VARIABLE.sub(value, text) for name, text in table.items()}
