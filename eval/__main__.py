"""Evaluate a student on tasks.

python -m eval student=<folder or name> tasks=<folder>
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from eval.config import EvaluationConfig
from terminal_lego.errors import ConfigError, TerminalLegoError

if TYPE_CHECKING:
    from eval.evaluate import EvaluationResult
    from terminal_lego.harness.agents import Agent
    from terminal_lego.harness.clients import ChatClient

HYDRA = {
    "run": {"dir": "."},  # the job directory is ours to write
    "output_subdir": None,
    "help": {
        "app_name": "python -m eval",
        "header": "python -m eval student=<folder or name> tasks=<folder> [key=value ...]",
        "template": "${hydra.help.header}\n\nKeys and their defaults:\n\n$CONFIG\n"
        "What each key means: eval/config.py",
    },
}

store = ConfigStore.instance()
store.store(name="schema", node=EvaluationConfig)
store.store(
    name="evaluation",
    node={"defaults": ["schema", "_self_", {"override hydra/job_logging": "stdout"}], "hydra": HYDRA},
)


@hydra.main(version_base="1.3", config_path=None, config_name="evaluation")
def main(composed: DictConfig) -> None:
    try:
        config = read_config(composed)
        run(config)
    except TerminalLegoError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(
            f"stopped: the same command with job_dir={config.job_dir} runs the missing trials",
            file=sys.stderr,
        )
        sys.exit(130)


def read_config(composed: DictConfig) -> EvaluationConfig:
    if missing := OmegaConf.missing_keys(composed):
        raise ConfigError(
            f"{', '.join(sorted(missing))} is not set: add {min(missing)}=<...> to the command."
        )
    return OmegaConf.to_object(composed)


def run(config: EvaluationConfig) -> "EvaluationResult":
    from rich.console import Console

    from eval.compare import comparison_lines, comparison_table
    from eval.evaluate import evaluate
    from terminal_lego.task import find_tasks

    tasks = find_tasks(config.tasks)
    name = Path(config.student).name if config.student else config.agent
    group_of = {task.name: str(task.config.metadata.get(config.group_by, "none")) for task in tasks}
    result = evaluate(
        name,
        tasks,
        agent_maker(config),
        config.job_dir,
        attempts=config.attempts,
        concurrency=config.concurrency,
        groups=group_of.__getitem__ if set(group_of.values()) != {"none"} else None,
    )
    OmegaConf.save(OmegaConf.structured(config), Path(config.job_dir, "evaluation.yaml"))
    console = Console()
    console.print(comparison_table({name: result}))
    for line in comparison_lines({name: result}):
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"Trials and results: {config.job_dir}", markup=False, soft_wrap=True)
    return result


def agent_maker(config: EvaluationConfig) -> "Callable[[], Agent]":
    """What makes one agent per trial; a student in this process is loaded once, here."""
    if config.agent == "oracle":
        from terminal_lego.harness.agents.oracle import Oracle

        return Oracle
    if config.agent == "nop":
        from terminal_lego.harness.agents.nop import Nop

        return Nop
    from terminal_lego.harness.agents.terminus2 import Terminus2
    from terminal_lego.harness.profile import Profile

    profile = Profile.load(config.profile) if config.profile else Profile.native()
    client = chat_client(config)
    return lambda: Terminus2(client, profile, config.max_turns)


def chat_client(config: EvaluationConfig) -> "ChatClient":
    if config.base_url:
        from terminal_lego.harness.clients.openai_compatible import OpenAICompatibleClient

        return OpenAICompatibleClient(config.student, config.base_url, api_key_env=config.api_key_env)
    from terminal_lego.harness.clients.local_transformers import LocalStudent

    return LocalStudent(config.student, max_new_tokens=config.max_new_tokens)


if __name__ == "__main__":
    main()
