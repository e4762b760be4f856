"""One container for one trial.

Every call is bounded in time, and whatever goes wrong between here and the engine is a SandboxError:
the machinery failed, not the agent.
"""

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import CONFLICT, HTTPException
from pathlib import Path
from tarfile import TarError
from time import monotonic
from typing import TYPE_CHECKING, Protocol, Self

from terminal_lego.errors import CommandTimeoutError, EnvironmentStartTimeoutError, SandboxError
from terminal_lego.harness.archive import pack, unpack
from terminal_lego.harness.channel import SERVER
from terminal_lego.harness.commands import Commands
from terminal_lego.harness.image import task_image
from terminal_lego.harness.network import ContainerNetwork, Policy, remove_networks
from terminal_lego.harness.support import check_supported, expand
from terminal_lego.task import Task

if TYPE_CHECKING:
    from docker import DockerClient

LOG_FOLDERS = "/logs /logs/agent /logs/verifier /logs/artifacts"
JOB_LABEL = "terminal-lego.job"
TRIAL_LABEL = "terminal-lego.trial"
MAKE_LOGS = f"mkdir -p {LOG_FOLDERS} && chmod 777 {LOG_FOLDERS}"
PIDS_LIMIT = 4096
# NET_RAW forges packets to other containers, SETPCAP hands capabilities on; package managers, servers and
# `su` need the rest of the engine's own list.
DROPPED_CAPABILITIES = ["NET_RAW", "SETPCAP"]
OUTPUT_BYTES = 10_000_000
KILL_SECONDS = 5
ENGINE_SECONDS = 30

NO_LIMIT = 10**9  # seconds


@dataclass(frozen=True)
class ExecResult:
    """`output` is stdout and stderr together, not stripped, undecodable bytes replaced."""

    exit_code: int
    output: str


class Sandbox(Protocol):
    """What agents and verifiers need of a container."""

    workdir: str
    user: str

    def exec(
        self,
        command: str,
        *,
        user: str | int | None = None,
        workdir: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> ExecResult: ...

    def upload(self, src: Path, dest: str) -> None: ...

    def download(self, src: str, dest: Path, only: Container[str] | None = None) -> None: ...

    def download_logs(self, trial_dir: Path) -> None: ...


class DockerSandbox:
    """A task's container: resources, network and files as task.toml asks.

    Args:
        client: of `engine.connect`.
        task: refused with TaskError when it asks for something that is not supported.
        name: the trial's; stored as a label, as `job` is.
        hostname: fixed, so that two trials of one task show the same prompt.

    Attributes:
        workdir: where commands run: environment.workdir, else the image's, else `/`.
        user: the image's user, empty for root.
    """

    def __init__(
        self, client: "DockerClient", task: Task, name: str, *, job: str = "", hostname: str = "terminal"
    ):
        check_supported(task)
        self._client = client
        self._task = task
        self._labels = {TRIAL_LABEL: name, JOB_LABEL: job}
        self._hostname = hostname
        self._network = ContainerNetwork(client, task, self._labels)
        self._id: str | None = None
        self._commands: Commands | None = None
        self.workdir = task.config.environment.workdir or "/"
        self.user = ""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            with suppress(SandboxError):
                self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def id(self) -> str:
        if self._id is None:
            raise SandboxError("The container is not there: start the sandbox first.")
        return self._id

    def start(self) -> None:
        """Build or find the image, create the container, put its first files there, start it.

        Raises:
            EnvironmentStartTimeoutError, SandboxBuildFailedError, SandboxError.
        """
        settings = self._task.config.environment
        limit = monotonic() + settings.build_timeout_sec
        with _engine_errors("the container could not be started"):
            from docker.types import LogConfig

            image = task_image(self._client, self._task, settings.build_timeout_sec)
            inherited = image.attrs.get("Config") or {}
            self.workdir = settings.workdir or inherited.get("WorkingDir") or "/"
            self.user = inherited.get("User") or ""
            memory = f"{settings.memory_mb}m" if settings.memory_mb else None
            container = self._client.containers.create(
                image.id,
                SERVER,
                stdin_open=True,
                log_config=LogConfig(type=LogConfig.types.NONE),
                detach=True,
                hostname=self._hostname,
                labels=self._labels,
                environment={**self._network.variables, **expand(settings.env, self._task)},
                working_dir=self.workdir,
                nano_cpus=int(settings.cpus * 1e9) if settings.cpus else None,
                mem_limit=memory,
                memswap_limit=memory,
                pids_limit=PIDS_LIMIT,
                cap_drop=DROPPED_CAPABILITIES,
                security_opt=["no-new-privileges"],
                **self._network.open(),
            )
            self._id = container.id
            if files := self._first_files():
                self._put(files)
            self._commands = Commands(self._client, self._id, inherited)
            container.start()
        made = self.exec(MAKE_LOGS, user="root", workdir="/", timeout=ENGINE_SECONDS)
        if made.exit_code:
            raise SandboxError(f"{LOG_FOLDERS} could not be made: {made.output.strip()}")
        if monotonic() > limit:
            raise EnvironmentStartTimeoutError(
                f"{self._task.name}: the container took over {settings.build_timeout_sec:g} s to start "
                "(environment.build_timeout_sec in task.toml)."
            )

    def exec(
        self,
        command: str,
        *,
        user: str | int | None = None,
        workdir: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> ExecResult:
        """Run `bash -c command` to its end; `user` and `workdir` default to the image's.

        Raises:
            CommandTimeoutError: it was ended after `timeout` seconds, with its process group.
            SandboxError: the engine or the container is gone.
        """
        limit = NO_LIMIT if timeout is None else max(timeout, 0.001)
        words = ["timeout", "-k", str(KILL_SECONDS), f"{limit:f}", "bash", "-c", command]
        began = monotonic()
        with _engine_errors("a command could not be run"):
            if self._commands is None:
                raise SandboxError("The container is not there: start the sandbox first.")
            exit_code, data = self._commands.run(
                words,
                user="" if user is None else str(user),
                folder=workdir or self.workdir,
                variables=env or {},
                silence=None if timeout is None else timeout + KILL_SECONDS + ENGINE_SECONDS,
                limit=OUTPUT_BYTES,
            )
        output = data.decode(errors="replace")
        if timeout is not None and exit_code in (124, 137) and monotonic() - began >= timeout:
            raise CommandTimeoutError(f"A command ran longer than {timeout:g} s.", output)
        if exit_code is None:
            raise SandboxError("a command could not be run: the engine lost its exit code.")
        return ExecResult(exit_code, output)

    def enter_network(self, policy: Policy) -> None:
        """From here on the container reaches what `policy` lets it reach."""
        with _engine_errors("the network could not be changed"):
            self._network.enter(self.id, policy)

    def was_killed_for_memory(self) -> bool:
        """Whether pid 1 itself was; other processes are counted inside, see `memory.py`."""
        with _engine_errors("the container could not be looked at"):
            return bool(self._client.api.inspect_container(self.id)["State"]["OOMKilled"])

    def written_mb(self) -> float:
        """What the container has written to its own disk, in 10^6 bytes."""
        with _engine_errors("the container could not be measured"):
            found = self._client.api.containers(all=True, size=True, filters={"id": self.id})
            return sum(each.get("SizeRw") or 0 for each in found) / 1e6

    def kill(self) -> None:
        """End the container, and every command in it; `stop` removes it."""
        with _engine_errors("the container could not be killed"):
            self._client.api.kill(self.id)

    def upload(self, src: Path, dest: str) -> None:
        """Copy a file to the path `dest`, or the contents of a folder into it; owned by root."""
        with _engine_errors(f"{src.name} could not be copied to {dest}"):
            self._put({dest: src})

    def download(self, src: str, dest: Path, only: Container[str] | None = None) -> None:
        """Copy a file to the path `dest`, or (`only` some of) the contents of a folder into it.

        Files that are already at `dest` are kept. SandboxError when `src` is not there.
        """
        with _engine_errors(f"{src} could not be copied out"):
            chunks, _ = self._client.api.get_archive(self.id, src)
            unpack(chunks, dest, only)

    def download_logs(self, trial_dir: Path) -> None:
        """The container's /logs/{agent,verifier}, in one call, into the trial's folder."""
        self.download("/logs", trial_dir, only=("agent", "verifier"))

    def commit(self, repository: str, tag: str) -> None:
        """Make an image of the container as it is now."""
        with _engine_errors("the container could not be made into an image"):
            self._client.api.commit(self.id, repository, tag)

    def stop(self) -> None:
        """Kill and remove the container and its network; quiet when they are gone already."""
        with _engine_errors("the container could not be removed"):
            if self._id is not None:
                _remove(self._client, self._id)
            self._id = None
            self._network.close()
        if self._commands:
            self._commands.close()
            self._commands = None

    def _put(self, sources: dict[str, Path]) -> None:
        with pack(sources) as archive:
            self._client.api.put_archive(self.id, "/", archive)

    def _first_files(self) -> dict[str, Path]:
        """environment/ goes into the workdir of a prebuilt image that has no Dockerfile beside it."""
        folder = self._task.environment
        prebuilt = self._task.config.environment.docker_image and not (folder / "Dockerfile").exists()
        own = folder.is_dir() and not self._task.context
        return {self.workdir: folder} if prebuilt and own else {}


def remove_leftovers(client: "DockerClient", job: str, trial: str | None = None) -> int:
    """Remove the containers and networks an earlier run of a job, or one trial of it, left behind.

    Returns how many containers there were.
    """
    labels = [f"{JOB_LABEL}={job}", *([f"{TRIAL_LABEL}={trial}"] if trial else [])]
    with _engine_errors("leftover containers could not be removed"):
        found = client.api.containers(all=True, filters={"label": labels})
        for container in found:
            _remove(client, container["Id"])
        remove_networks(client, labels)
    return len(found)


def _remove(client: "DockerClient", container: str) -> None:
    """Gone when this returns, also when someone else is removing it at the same time."""
    from docker.errors import APIError, NotFound

    with suppress(NotFound):
        try:
            client.api.remove_container(container, force=True, v=True)
        except APIError as error:
            if error.status_code != CONFLICT:
                raise
            client.api.wait(container, timeout=ENGINE_SECONDS, condition="removed")


@contextmanager
def _engine_errors(what: str) -> Iterator[None]:
    from docker.errors import DockerException
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (DockerException, RequestException, HTTPError, HTTPException, TarError, OSError) as error:
        reason = getattr(error, "explanation", None) or error
        if isinstance(reason, bytes):
            reason = reason.decode(errors="replace")
        raise SandboxError(f"{what}: {reason}") from error
