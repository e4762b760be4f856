"""The verifier's tools into the image, so that verification needs no network.

A verifier that installs its tools first is run once, on an untouched container with a network. What it
installed stays, everything else it left goes, and the container becomes the task's image. The agent then
finds these tools too, so figures of a baked task compare with figures of the same baked task.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING

from terminal_lego.errors import SandboxError, TaskError
from terminal_lego.harness.image import baked_tag
from terminal_lego.harness.sandbox import DockerSandbox
from terminal_lego.harness.support import expand
from terminal_lego.harness.verifier import PREPARE, TEST
from terminal_lego.harness.verifier_output import verifier_trouble
from terminal_lego.json_files import write_json
from terminal_lego.task import BAKED, Task, read_task

if TYPE_CHECKING:
    from docker import DockerClient

LISTING = "find . -xdev -type f -print0 | sort -z | xargs -0r sha256sum 2>&1"
OUTPUT = "/logs/verifier/test-stdout.txt"
CLEAN = "rm -rf /tests /logs/*"
SECONDS = 600


def bake(client: "DockerClient", task: Task) -> Task:
    """Make the image, name it in baked.json beside task.toml, and return the task as it is read with that.

    Raises:
        TaskError: the task has several steps or a separate verifier, its tools cannot be had, or its tests
            change files of the working directory.
        TrialError: the container or the image failed.
    """
    if task.steps or task.config.verifier.environment_mode == "separate":
        raise TaskError(f"{task.path}: only a task of one step that is verified in place can be baked.")
    task = replace(task, baked=None)
    tag = baked_tag(task)
    with DockerSandbox(client, _with_network(task), f"bake-{task.path.name}") as sandbox:
        with _unchanged(sandbox, task):
            _install(sandbox, task)
        sandbox.exec(CLEAN, user="root", timeout=SECONDS)
        repository, _, name = tag.partition(":")
        sandbox.commit(repository, name)
    write_json(task.path / BAKED, {"image": tag})
    return read_task(task.path)


def _with_network(task: Task) -> Task:
    """Without the task's variables, which may be secret: they would stay in the image."""
    update = {"network_mode": "public", "allowed_hosts": None, "env": {}}
    environment = task.config.environment.model_copy(update=update)
    phases = {
        name: getattr(task.config, name).model_copy(update={"network_mode": None, "allowed_hosts": None})
        for name in ("agent", "verifier")
    }
    return replace(task, config=task.config.model_copy(update={"environment": environment, **phases}))


def _install(sandbox: DockerSandbox, task: Task) -> None:
    settings = task.config.verifier
    env = expand({**task.config.environment.env, **settings.env}, task)
    sandbox.upload(task.tests, "/tests")
    sandbox.exec(PREPARE, user="root", timeout=SECONDS)
    sandbox.exec(TEST, user=settings.user, env=env, timeout=settings.timeout_sec)
    output = sandbox.exec(f"cat {OUTPUT}", timeout=SECONDS).output
    if trouble := verifier_trouble(output):
        tail = output.strip().splitlines()[-1:]
        raise TaskError(
            f"{task.path}: {trouble} could not fetch what tests/test.sh asks for: {''.join(tail)}"
        )


@contextmanager
def _unchanged(sandbox: DockerSandbox, task: Task) -> Iterator[None]:
    """Files that the tests add to the working directory are removed; a changed one is a TaskError."""
    before = _files(sandbox)
    yield
    after = _files(sandbox)
    if changed := [name for name, digest in before.items() if after.get(name) != digest]:
        raise TaskError(f"{task.path}: its tests change {changed[0]}, so the task cannot be baked.")
    if added := [name for name in after if name not in before]:
        sandbox.exec(f"rm -f {' '.join(map(quote, added))}", user="root", timeout=SECONDS)


def _files(sandbox: DockerSandbox) -> dict[str, str]:
    result = sandbox.exec(LISTING, user="root", timeout=SECONDS)
    if result.exit_code:
        raise SandboxError(f"The working directory could not be listed: {result.output[-500:]}")
    lines = (line.split(maxsplit=1) for line in result.output.splitlines())
    return {name: digest for digest, name in lines}
