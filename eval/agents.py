"""From settings to agents: the profile, the model and who serves it."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.config import EvaluationConfig
from eval.serving import has_vllm_and_gpu, vllm_server
from eval.training import refuse_other_wording, takes_thoughts
from terminal_lego.errors import ConfigError
from terminal_lego.harness.harbor_wheel import harbor_profile
from terminal_lego.harness.profile import Profile

if TYPE_CHECKING:
    from terminal_lego.harness.agents import Agent
    from terminal_lego.harness.clients import ChatClient

SERVER_LOG = "vllm.log"
REASONING_PARSER = "--reasoning-parser"
SAMPLING = ("do_sample", "temperature", "top_p", "top_k", "min_p", "repetition_penalty")


class Plan:
    """Who will work on the tasks; nothing is loaded or started before `opened`.

    Attributes:
        conditions: what decides the figures besides the agent's own config.

    Raises ConfigError when the settings contradict each other, or what the student was trained on.
    """

    def __init__(self, config: EvaluationConfig) -> None:
        self._config = config
        self.conditions: dict[str, Any] = {}
        if config.agent != "terminus-2":
            return
        self._profile = _profile(config)
        if not config.force:
            refuse_other_wording(config.student, self._profile)
        self._serving = _serving(config)
        harness = config.harness
        self.conditions = {
            "serving": self._serving,
            "temperature": harness.temperature,
            "max_input_tokens": harness.max_input_tokens,
        }
        if self._serving == "transformers":
            _refuse_what_needs_a_server(config)
            self.conditions |= {"temperature": 0.0, "max_new_tokens": config.max_new_tokens}
        if self._serving == "vllm":
            # The server samples with the model's own settings where the request names none.
            self.conditions |= {"vllm_args": config.vllm_args, "model_defaults": _sampling(config.student)}

    def describe(self) -> "Agent":
        """An agent that tells name, version and config, and cannot work."""
        from terminal_lego.harness.clients.scripted import ScriptedClient

        return self._make(ScriptedClient(lambda messages: "", model=str(self._config.student)))

    @contextmanager
    def opened(self, job_dir: Path) -> "Iterator[Callable[[], Agent]]":
        """What makes one agent per trial; a student served here is loaded once, and let go at the end."""
        with ExitStack() as stack:
            client = self._client(job_dir, stack) if self._config.agent == "terminus-2" else None
            yield partial(self._make, client)

    def _make(self, client: "ChatClient | None") -> "Agent":
        if self._config.agent == "oracle":
            from terminal_lego.harness.agents.oracle import Oracle

            return Oracle()
        if self._config.agent == "nop":
            from terminal_lego.harness.agents.nop import Nop

            return Nop()
        from terminal_lego.harness.agents.terminus2 import Terminus2

        harness = self._config.harness
        return Terminus2(client, self._profile, harness.max_turns, summarize=harness.summarize)

    def _client(self, job_dir: Path, stack: ExitStack) -> "ChatClient":
        config = self._config
        student = str(config.student)
        if self._serving == "transformers":
            from terminal_lego.harness.clients.local_transformers import LocalStudent

            return stack.enter_context(
                LocalStudent(
                    student,
                    max_new_tokens=config.max_new_tokens,
                    max_batch=config.concurrency,
                    takes_thoughts=takes_thoughts(student),
                )
            )
        from terminal_lego.harness.clients.openai_compatible import OpenAICompatibleClient

        url = config.base_url or stack.enter_context(
            vllm_server(student, job_dir / SERVER_LOG, _vllm_arguments(config))
        )
        key = config.api_key_env if config.base_url else None
        return OpenAICompatibleClient(
            student,
            url,
            api_key_env=key,
            temperature=config.harness.temperature,
            max_input_tokens=config.harness.max_input_tokens,
        )


def _profile(config: EvaluationConfig) -> Profile:
    harness = config.harness
    if harness.profile == "native":
        return Profile.native(harness.parser)
    if harness.profile == "harbor":
        return harbor_profile(harness.parser, harness.wheel)
    return Profile.load(harness.profile)


def _refuse_what_needs_a_server(config: EvaluationConfig) -> None:
    """A student in this process decodes greedily and takes what its model holds."""
    for key in ("temperature", "max_input_tokens"):
        if value := getattr(config.harness, key):
            raise ConfigError(
                f"harness.{key}={value} needs a server, a student in this process has no such setting: "
                "set base_url or serve=vllm, or leave it out."
            )


def _vllm_arguments(config: EvaluationConfig) -> list[str]:
    """With the parser that takes thoughts out, for a student that does not read earlier ones."""
    given = list(config.vllm_args)
    named = any(argument.startswith(REASONING_PARSER) for argument in given)
    return given if named or not takes_thoughts(config.student) else [*given, REASONING_PARSER, "qwen3"]


def _sampling(student: str | None) -> dict[str, Any]:
    try:
        defaults = json.loads(Path(student or "", "generation_config.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return {key: defaults[key] for key in SAMPLING if key in defaults}


def _serving(config: EvaluationConfig) -> str:
    if config.base_url:
        return "server"
    if config.serve != "auto":
        return config.serve
    return "vllm" if has_vllm_and_gpu() else "transformers"
