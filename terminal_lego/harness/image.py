"""The image a task's container starts from: the one it names, or one built from environment/Dockerfile."""

import hashlib
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.errors import EnvironmentStartTimeoutError, SandboxBuildFailedError, TaskError
from terminal_lego.harness.base_image import BASE_IMAGE, ensure_image
from terminal_lego.task import BAKED, Task

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def task_image(client: "DockerClient", task: Task, timeout: float) -> "Image":
    """The image, pulled or built where it is missing; once per image, whatever the number of trials.

    Raises:
        SandboxBuildFailedError: it cannot be had.
        EnvironmentStartTimeoutError: the build ran longer than `timeout` seconds.
    """
    from docker.errors import ImageNotFound

    named = task.config.environment.docker_image
    tag = image_tag(task)
    with _locks[tag]:
        try:
            return client.images.get(tag)
        except ImageNotFound:
            if task.baked:
                raise SandboxBuildFailedError(
                    f"{task.name}: the baked image {tag} is not in this engine: run "
                    f"`terminal-lego tasks bake {task.path}`, or remove {task.path / BAKED}."
                ) from None
        if tag == BASE_IMAGE:
            ensure_image(client, tag)
        elif named:
            _pull(client, tag, task)
        else:
            _build(client, tag, task, timeout)
        return client.images.get(tag)


def image_tag(task: Task) -> str:
    """The baked image, or the one the task names, or one named after the content of its environment/ folder.

    Raises TaskError when the task has changed since it was baked.
    """
    if task.baked and task.baked != baked_tag(task):
        raise TaskError(f"{task.path} has changed since it was baked; bake it again, or remove {BAKED}.")
    named = task.baked or task.config.environment.docker_image
    return named or f"terminal-lego/task:{_context_digest(task.environment)[:32]}"


def baked_tag(task: Task) -> str:
    """The image with the verifier's tools, named after what decides its content."""
    image = task.config.environment.docker_image or _context_digest(task.environment)
    digest = hashlib.sha256(f"{image}\0{_context_digest(task.tests)}".encode()).hexdigest()
    return f"terminal-lego/baked:{digest[:32]}"


def _context_digest(folder: Path) -> str:
    """sha256 over names, executable bits and contents of a build context."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            kind, content = "link", path.readlink().as_posix().encode()
        elif path.is_dir():
            kind, content = "folder", b""
        else:
            kind, content = f"file {path.stat().st_mode & 0o111:o}", path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{kind}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _pull(client: "DockerClient", tag: str, task: Task) -> None:
    from docker.errors import APIError, ImageNotFound

    try:
        client.images.pull(tag)
    except (APIError, ImageNotFound) as error:
        raise SandboxBuildFailedError(
            f"{task.name}: the image {tag} is not in the engine and cannot be pulled: load it, or remove "
            f"docker_image from task.toml to build environment/Dockerfile ({error.explanation or error})."
        ) from error


def _build(client: "DockerClient", tag: str, task: Task, timeout: float) -> None:
    from docker.errors import APIError
    from requests.exceptions import ReadTimeout
    from urllib3.exceptions import ReadTimeoutError

    limit = time.monotonic() + timeout
    too_long = EnvironmentStartTimeoutError(
        f"{task.name}: the image took longer than {timeout:g} s (environment.build_timeout_sec in task.toml)."
    )
    log: list[str] = []
    broken = f"{task.name}: environment/Dockerfile could not be built"
    try:
        lines = client.api.build(
            path=str(task.environment), tag=tag, rm=True, forcerm=True, decode=True, timeout=max(timeout, 1)
        )
        for line in lines:
            log.append(line.get("stream") or line.get("error") or "")
            if "error" in line:
                tail = "\n".join("".join(log).strip().splitlines()[-8:])
                raise SandboxBuildFailedError(f"{broken}:\n{tail}")
            if time.monotonic() > limit:
                raise too_long
    except (ReadTimeout, ReadTimeoutError) as error:
        raise too_long from error
    except APIError as error:
        raise SandboxBuildFailedError(f"{broken}: {error}") from error
