"""The settings of `terminal-lego rollout`."""

import dataclasses
import hashlib
import json
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from terminal_lego.errors import ConfigError

URL_VARIABLE, KEY_VARIABLE = "OPENAI_BASE_URL", "OPENAI_API_KEY"

# These say how and where to run, not what is collected.
_FREE = ("base_url", "api_key_env", "concurrency", "price_in", "price_out", "max_cost", "job_dir")


@dataclass
class RolloutConfig:
    """One teacher on some tasks. The same command again runs only what is missing.

    Attributes:
        teacher: the model, as the server names it.
        tasks: a task folder, a folder of task folders, or a glob.
        base_url: an OpenAI-compatible server; null for the one in OPENAI_BASE_URL.
        api_key_env: environment variable that holds the server's key; null for a server without one, and
            for OPENAI_API_KEY where the address comes from OPENAI_BASE_URL.
        profile: native (this project's wording), harbor (read from a wheel or an installation), or a
            folder of wording.
        parser: format of replies, json or xml; a folder says so itself.
        wheel: Harbor's wheel for profile=harbor; null looks for an installation.
        add_on: sentences put after every instruction: inspect_first, or the path of a text file.
        max_turns: replies per trial; null leaves only the task's own time limit.
        temperature, max_tokens: not sent when null.
        max_input_tokens: longest conversation before it is summarised; null for what the server says.
        extra_body: further fields of each request, such as {chat_template_kwargs: {thinking: false}}.
        attempts: trials of each task.
        concurrency: trials at a time.
        timeout_multiplier: scales the time of agents and verifiers.
        price_in, price_out: of a million tokens; null for what the server says that a call costs.
        max_cost: no trial begins once the job has cost so much, in the unit of the prices; those that run
            then are finished.
        job_dir: where the trials go; null for jobs/<teacher>__<hash of the settings>.
    """

    teacher: str | None = None
    tasks: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    profile: str = "native"
    parser: str = "json"
    wheel: str | None = None
    add_on: str | None = None
    max_turns: int | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    max_input_tokens: int | None = None
    extra_body: dict[str, Any] = field(default_factory=dict)
    attempts: int = 1
    concurrency: int = 4
    timeout_multiplier: float = 1.0
    price_in: float | None = None
    price_out: float | None = None
    max_cost: float | None = None
    job_dir: str | None = None

    def __post_init__(self) -> None:
        for key, example in (("teacher", "<model>"), ("tasks", "<folder>")):
            if not getattr(self, key):
                raise ConfigError(f"{key} is not set: add {key}={example} to the command.")
        if self.parser not in ("json", "xml"):
            raise ConfigError(f"parser={self.parser} is not known: choose json or xml.")
        for key in ("attempts", "concurrency", "max_turns", "max_tokens", "max_input_tokens"):
            if (count := getattr(self, key)) is not None and count < 1:
                raise ConfigError(f"{key}={count} runs nothing: give 1 or more.")
        for key in ("temperature", "price_in", "price_out"):
            if (value := getattr(self, key)) is not None and not 0 <= value < math.inf:
                raise ConfigError(f"{key}={value} means nothing: give 0 or more.")
        for key in ("timeout_multiplier", "max_cost"):
            if (value := getattr(self, key)) is not None and not 0 < value < math.inf:
                raise ConfigError(f"{key}={value} leaves nothing: give more than 0.")
        if (self.price_in is None) != (self.price_out is None):
            raise ConfigError("price_in and price_out go together: give both, or neither.")
        if self.wheel and self.profile != "harbor":
            raise ConfigError(f"wheel={self.wheel} is only read for profile=harbor: set both, or neither.")

    @property
    def prices(self) -> tuple[float, float] | None:
        return None if self.price_in is None or self.price_out is None else (self.price_in, self.price_out)

    @property
    def sampling(self) -> dict[str, Any]:
        names = ("temperature", "max_tokens", "max_input_tokens", "extra_body")
        return {name: getattr(self, name) for name in names}

    @property
    def server(self) -> tuple[str, str | None]:
        """Its address, and the variable with its key: a key goes only where it belongs.

        Raises ConfigError when nobody named an address.
        """
        if self.base_url:
            return self.base_url, self.api_key_env
        url = os.environ.get(URL_VARIABLE)
        if not url:
            raise ConfigError(
                f"base_url is not set: add base_url=<url> to the command, or set {URL_VARIABLE}."
            )
        return url, self.api_key_env or (KEY_VARIABLE if os.environ.get(KEY_VARIABLE) else None)

    @property
    def folder(self) -> Path:
        """The job's directory: the same for the same settings, whatever is left to run."""
        if self.job_dir:
            return Path(self.job_dir)
        settings = {key: value for key, value in dataclasses.asdict(self).items() if key not in _FREE}
        settings["tasks"] = str(Path(str(self.tasks)).absolute())
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        name = re.sub(r"[^\w.-]", "-", str(self.teacher))
        return Path("jobs", f"{name}__{digest[:8]}")
