"""task.toml: its fields and defaults, those of Harbor 0.25.0 (schema 1.4).

Older names are understood; keys nobody knows are ignored, as Harbor ignores them.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

NetworkMode = Literal["public", "no-network", "allowlist"]
Seconds = Annotated[float, Field(gt=0)]
Size = Annotated[int, Field(gt=0)]
_MEGABYTES = {"K": 1 / 1024, "M": 1, "G": 1024}


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Author(_Table):
    name: str
    email: str | None = None


class Identity(_Table):
    """`[task]`: who the task is in a registry."""

    name: str = Field(pattern=r"^[^/\s]+/[^/\s]+$")
    version: str | None = None
    description: str | None = None
    authors: list[Author] = []
    keywords: list[str] = []


class Healthcheck(_Table):
    command: str
    interval_sec: float = 5
    timeout_sec: float = 30
    start_period_sec: float = 0
    start_interval_sec: float = 5
    retries: int = 3


class McpServer(_Table):
    name: str
    transport: Literal["sse", "streamable-http", "stdio"] = "sse"
    url: str | None = None
    command: str | None = None
    args: list[str] = []
    headers: dict[str, str] = {}

    @field_validator("transport", mode="before")
    @classmethod
    def _alias(cls, value: Any) -> Any:
        return "streamable-http" if value == "http" else value


class Artifact(_Table):
    source: str
    destination: str | None = None
    exclude: list[str] = []
    service: str | None = None


class CollectHook(_Table):
    command: str
    service: str | None = None
    timeout_sec: Seconds = 60
    user: str | int | None = None


class _Network(_Table):
    network_mode: NetworkMode | None = None
    allowed_hosts: list[str] | None = None

    @model_validator(mode="after")
    def _hosts_need_allowlist(self) -> "_Network":
        if self.allowed_hosts and self.network_mode != "allowlist":
            raise ValueError('allowed_hosts works only with network_mode = "allowlist"')
        return self


class EnvironmentConfig(_Network):
    """`[environment]`: what the container is made of."""

    network_mode: NetworkMode = "public"
    build_timeout_sec: Seconds = 600
    docker_image: str | None = None
    os: Literal["linux", "windows"] = "linux"
    cpus: Annotated[int | float, Field(gt=0)] | None = None
    memory_mb: Size | None = None
    storage_mb: Size | None = None
    gpus: Annotated[int, Field(ge=0)] | None = None
    gpu_types: list[str] | None = None
    tpu: dict[str, Any] | None = None
    env: dict[str, str] = {}
    workdir: str | None = None
    skills_dir: str | None = None
    mcp_servers: list[McpServer] = []
    healthcheck: Healthcheck | None = None

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        for old in ("memory", "storage"):
            if (size := data.pop(old, None)) is not None:
                _rename(data, f"{old}_mb", old, _megabytes(old, size))
        internet = data.pop("allow_internet", None)
        if internet is not None and not {"network_mode", "allowed_hosts"} & data.keys():
            if not isinstance(internet, bool):
                raise ValueError(f"allow_internet must be true or false, not {internet!r}")
            data["network_mode"] = "public" if internet else "no-network"
        return data

    @field_validator("cpus")
    @classmethod
    def _whole(cls, value: int | float | None) -> int | float | None:
        return int(value) if isinstance(value, float) and value.is_integer() else value


class AgentConfig(_Network):
    """`[agent]`: limits of the agent phase; no timeout means unlimited."""

    timeout_sec: Seconds | None = None
    user: str | int | None = None


class VerifierConfig(_Network):
    """`[verifier]`: how the result is graded, and in which container."""

    timeout_sec: Seconds = 600
    env: dict[str, str] = {}
    user: str | int | None = None
    environment_mode: Literal["shared", "separate"] = "shared"
    environment: EnvironmentConfig | None = None
    collect: list[CollectHook] = []

    @model_validator(mode="before")
    @classmethod
    def _own_environment_is_separate(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("environment") is not None:
            return {"environment_mode": "separate", **data}
        return data


class SolutionConfig(_Table):
    env: dict[str, str] = {}


class Step(_Table):
    """`[[steps]]`: what is not set here is as the task has it."""

    name: str = Field(pattern=r"^[^/.][^/]*$")
    agent: AgentConfig = AgentConfig()
    verifier: VerifierConfig = VerifierConfig()
    min_reward: float | dict[str, float] | None = None
    healthcheck: Healthcheck | None = None
    artifacts: list[str | Artifact] = []


class TaskConfig(_Table):
    """task.toml."""

    schema_version: str = "1.4"
    task: Identity | None = None
    metadata: dict[str, Any] = {}
    source: str | None = None
    agent: AgentConfig = AgentConfig()
    verifier: VerifierConfig = VerifierConfig()
    environment: EnvironmentConfig = EnvironmentConfig()
    solution: SolutionConfig = SolutionConfig()
    artifacts: list[str | Artifact] = []
    multi_step_reward_strategy: Literal["mean", "final"] = "mean"
    steps: list[Step] = []

    @field_validator("steps")
    @classmethod
    def _names_differ(cls, steps: list[Step]) -> list[Step]:
        if len({step.name for step in steps}) < len(steps):
            raise ValueError("two steps have the same name; their folders are named after them")
        return steps

    def of_step(self, step: Step) -> "TaskConfig":
        """The configuration of a task that consists of this step alone.

        A table of the step replaces the task's field by field; the verifier's variables and hooks and the
        artifacts are added to the task's.
        """
        verifier = _override(self.verifier, step.verifier)
        hooks = {
            "env": {**self.verifier.env, **step.verifier.env},
            "collect": [*self.verifier.collect, *step.verifier.collect],
        }
        return self.model_copy(
            update={
                "agent": _override(self.agent, step.agent),
                "verifier": verifier.model_copy(update=hooks),
                "environment": self.environment.model_copy(update={"healthcheck": step.healthcheck}),
                "artifacts": [*self.artifacts, *step.artifacts],
                "steps": [],
            }
        )

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, data: Any) -> Any:
        if isinstance(data, dict) and "version" in data:
            data = dict(data)
            _rename(data, "schema_version", "version", data.pop("version"))
        return data


def _override(base: _Network, over: _Network) -> Any:
    """`base` with the fields that `over` sets; hosts belong to the mode they are set with."""
    names = set(over.model_fields_set)
    if over.network_mode is not None:
        names.add("allowed_hosts")
    return base.model_copy(update={name: getattr(over, name) for name in names})


def _rename(data: dict[str, Any], new: str, old: str, value: Any) -> None:
    if data.setdefault(new, value) != value:
        raise ValueError(f"{old} and {new} disagree; keep only {new}")


def _megabytes(name: str, size: Any) -> int:
    match = re.fullmatch(r"([\d.]+)([KMG])B?", str(size).strip().upper())
    try:
        return int(float(match[1]) * _MEGABYTES[match[2]]) if match else int(size)
    except ValueError:
        raise ValueError(f'{name} must be a size such as "2G" or "512M", not {size!r}') from None
