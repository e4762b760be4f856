"""A task directory in Terminal-Bench 2 layout: read, validate, write.

    task.toml  instruction.md  environment/  tests/test.sh  solution/solve.sh

Field names and defaults of task.toml are those of Harbor 0.25.0 (schema 1.4), its older names are
understood, and keys it does not know are ignored, as Harbor ignores them.
"""

import hashlib
import os
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from terminal_lego.errors import TaskError

NetworkMode = Literal["public", "no-network", "allowlist"]
Seconds = Annotated[float, Field(gt=0)]
Size = Annotated[int, Field(gt=0)]
_MEGABYTES = {"K": 1 / 1024, "M": 1, "G": 1024}
_CANARY = re.compile(r"\s*(<!--.*canary.*-->|#.*canary.*)\s*", re.IGNORECASE)


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
    name: str
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

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, data: Any) -> Any:
        if isinstance(data, dict) and "version" in data:
            data = dict(data)
            _rename(data, "schema_version", "version", data.pop("version"))
        return data


@dataclass(frozen=True)
class Task:
    """A valid task directory. `instruction` is the text the agent sees, without canary lines."""

    path: Path
    config: TaskConfig
    instruction: str

    @property
    def name(self) -> str:
        return self.config.task.name if self.config.task else self.path.name

    @property
    def environment(self) -> Path:
        return self.path / "environment"

    @property
    def tests(self) -> Path:
        return self.path / "tests"

    @property
    def solution(self) -> Path:
        return self.path / "solution"

    @cached_property
    def checksum(self) -> str:
        """sha256 over names and contents of all files, links by their target; caches left out."""
        digest = hashlib.sha256()
        for file in sorted(_entries(self.path)):
            content = os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()
            name = os.fsencode(file.relative_to(self.path).as_posix())
            digest.update(b"%b\0%d\0%b" % (name, len(content), content))
        return digest.hexdigest()


def read_task(path: str | Path) -> Task:
    """Read and validate one task directory.

    Raises:
        TaskError: a file is missing or wrong, a link leads outside, or the task is multi-step or
            for Windows, which cannot be run yet.
    """
    if not Path(path).is_dir():
        raise TaskError(f"{path} is not a folder; give a task's folder.")
    path = Path(path).resolve()
    config = _read_config(path / "task.toml")
    if config.steps or config.environment.os == "windows":
        kind = "[[steps]] (a multi-step task)" if config.steps else 'environment.os = "windows"'
        raise TaskError(f"{path / 'task.toml'}: {kind} is not supported yet; leave this task out.")
    if not config.environment.docker_image and not (path / "environment").is_dir():
        raise TaskError(f"{path}: add an environment/ folder or set environment.docker_image in task.toml.")
    _reject_escapes(path)
    instruction = strip_canary(_read_text(path / "instruction.md"))
    script = path / "tests" / "test.sh"
    if not script.is_file() and config.verifier.environment_mode == "shared":
        raise TaskError(f"{script} is missing; a task needs it to give a reward.")
    return Task(path, config, instruction)


def find_tasks(path: str | Path) -> list[Task]:
    """All tasks of one task folder, a folder of task folders, or a glob, sorted by path.

    Raises:
        TaskError: there is none, or one of them is not valid.
    """
    root = Path(path)
    try:
        found = [root] if root.exists() else list(Path(root.anchor).glob(str(root.relative_to(root.anchor))))
    except (OSError, ValueError):
        found = []
    folders: set[Path] = set()
    for folder in found:
        if (folder / "task.toml").is_file():
            folders.add(folder)
        elif folder.is_dir():
            folders.update(child for child in folder.iterdir() if (child / "task.toml").is_file())
    if not folders:
        raise TaskError(f"{path} holds no task; give a folder with task.toml, a folder of them, or a glob.")
    return [read_task(folder) for folder in sorted(folders)]


def write_task(
    path: str | Path, config: TaskConfig, instruction: str, files: Mapping[str, str | bytes]
) -> Task:
    """Write a task directory; all of it or nothing.

    Args:
        path: a folder that does not exist yet, or is empty.
        config: task.toml; only what was set is written.
        instruction: instruction.md.
        files: relative path to content; `*.sh` of tests and solution become executable, a path that
            ends in '/' is an empty folder.

    Raises:
        TaskError: the folder is in use, a path leads outside, or the result is not a valid task.
    """
    import tomli_w

    path = Path(path).resolve()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise TaskError(f"{path} already exists; remove it or choose another place.")
    settings = config.model_dump(exclude_unset=True, exclude_none=True)
    settings = {"schema_version": config.schema_version} | settings
    files = {**files, "task.toml": tomli_w.dumps(settings), "instruction.md": instruction}
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for name, content in files.items():
            _write_file(partial, name, content)
        partial.replace(path)
        return read_task(path)
    except TaskError:
        shutil.rmtree(path, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def strip_canary(text: str) -> str:
    """Drop canary comments at the very top of an instruction, and the blank lines after them."""
    lines = text.splitlines(keepends=True)
    start = 0
    while start < len(lines) and _CANARY.fullmatch(lines[start]):
        start += 1
    while 0 < start < len(lines) and not lines[start].strip():
        start += 1
    return "".join(lines[start:])


def _rename(data: dict[str, Any], new: str, old: str, value: Any) -> None:
    if data.setdefault(new, value) != value:
        raise ValueError(f"{old} and {new} disagree; keep only {new}")


def _megabytes(name: str, size: Any) -> int:
    match = re.fullmatch(r"([\d.]+)([KMG])B?", str(size).strip().upper())
    try:
        return int(float(match[1]) * _MEGABYTES[match[2]]) if match else int(size)
    except ValueError:
        raise ValueError(f'{name} must be a size such as "2G" or "512M", not {size!r}') from None


def _read_config(file: Path) -> TaskConfig:
    try:
        return TaskConfig.model_validate(tomllib.loads(_read_text(file)))
    except tomllib.TOMLDecodeError as error:
        raise TaskError(f"{file} is not valid TOML: {error}.") from None
    except RecursionError:
        raise TaskError(f"{file} is nested too deeply.") from None
    except ValidationError as error:
        first, *more = error.errors()
        field = ".".join(str(part) for part in first["loc"])
        rule = first["msg"].removeprefix("Value error, ")
        given = "" if isinstance(first["input"], dict) else f", not {first['input']!r}"
        count = f" (and {len(more)} more)" if more else ""
        raise TaskError(f"{file}: {field}{': ' if field else ''}{rule}{given}{count}.") from None


def _read_text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise TaskError(f"{file} is missing.") from None
    except UnicodeDecodeError as error:
        raise TaskError(f"{file} is not UTF-8 text (byte {error.start}).") from None
    except OSError as error:
        raise TaskError(f"{file} cannot be read: {error.strerror}.") from None


def _entries(folder: Path) -> Iterator[Path]:
    """Files and links below a folder; links are not followed, caches are skipped."""
    for root, folders, files in os.walk(folder):
        links = [name for name in folders if Path(root, name).is_symlink()]
        folders[:] = [name for name in folders if name not in {".git", "__pycache__"}]
        yield from (Path(root, name) for name in files + links)


def _reject_escapes(path: Path) -> None:
    """environment/ is left out: links in a build context mean places in the container."""
    checked = [path / name for name in ("tests", "solution", "steps")]
    inside = [entry for folder in checked for entry in _entries(folder)]
    for link in filter(Path.is_symlink, [*path.iterdir(), *inside]):
        try:
            outside = not link.resolve().is_relative_to(path)
        except (OSError, RuntimeError):
            raise TaskError(f"{link} is a link that leads in a circle.") from None
        if outside:
            raise TaskError(f"{link} leads outside the task directory; put the file itself there.")


def _write_file(folder: Path, name: str, content: str | bytes) -> None:
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise TaskError(f"{name!r} leads outside the task directory; give a relative path without '..'.")
    file = folder / relative
    if name.endswith("/"):
        file.mkdir(parents=True, exist_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    if file.suffix == ".sh" and relative.parts[0] in ("tests", "solution"):
        file.chmod(0o755)
