"""One container for one trial.

Every call is bounded in time, and whatever goes wrong between here and the engine is a SandboxError:
the machinery failed, not the agent.
"""

from collections.abc import Container, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import CONFLICT, HTTPException
from pathlib import Path
from tarfile import TarError
from time import monotonic
from typing import TYPE_CHECKING, Protocol, Self

from terminal_lego.errors import CommandTimeoutError, EnvironmentStartTimeoutError, SandboxError
from terminal_lego.harness.archive import pack, unpack
from terminal_lego.harness.image import task_image
from terminal_lego.harness.support import check_supported, expand
from terminal_lego.task import Task

if TYPE_CHECKING:
    from docker import DockerClient
    from requests import Response

LOG_FOLDERS = ("/logs", "/logs/agent", "/logs/verifier", "/logs/artifacts")
JOB_LABEL = "terminal-lego.job"
TRIAL_LABEL = "terminal-lego.trial"
PIDS_LIMIT = 4096
OUTPUT_BYTES = 10_000_000
KILL_SECONDS = 5
ENGINE_SECONDS = 30

# As pid 1 a shell cannot be killed from inside, so an agent that kills everything keeps its container; it
# reaps orphans as an init does.
FOREVER = ["bash", "-c", "while :; do sleep infinity & wait; done"]

# Two streams would reach the host in any order.
ONE_STREAM = ["sh", "-c", 'exec "$@" 2>&1', "sh"]


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
        self._id: str | None = None
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
            image = task_image(self._client, self._task, settings.build_timeout_sec)
            inherited = image.attrs.get("Config") or {}
            self.workdir = settings.workdir or inherited.get("WorkingDir") or "/"
            self.user = inherited.get("User") or ""
            container = self._client.containers.create(
                image.id,
                FOREVER,
                detach=True,
                hostname=self._hostname,
                labels=self._labels,
                environment=expand(settings.env, self._task),
                working_dir=self.workdir,
                network_mode="none" if settings.network_mode == "no-network" else None,
                nano_cpus=int(settings.cpus * 1e9) if settings.cpus else None,
                mem_limit=f"{settings.memory_mb}m" if settings.memory_mb else None,
                pids_limit=PIDS_LIMIT,
                security_opt=["no-new-privileges"],
            )
            self._id = container.id
            self._put(self._first_files(), LOG_FOLDERS)
            container.start()
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
        argv = ["bash", "-c", command]
        if timeout is not None:
            argv = ["timeout", "-k", str(KILL_SECONDS), f"{max(timeout, 0.001):f}", *argv]
        argv = [*ONE_STREAM, *argv]
        began = monotonic()
        api = self._client.api
        with _engine_errors("a command could not be run"):
            created = api.exec_create(
                self.id,
                argv,
                user="" if user is None else str(user),
                workdir=workdir or self.workdir,
                environment=dict(env or {}),
            )
            silence = None if timeout is None else timeout + KILL_SECONDS + ENGINE_SECONDS
            # Not exec_start: it switches protocols and then reads past the bytes already buffered, so that
            # a busy host loses the beginning of an output.
            response = api.post(
                f"{api.base_url}/v{api.api_version}/exec/{created['Id']}/start",
                json={"Detach": False, "Tty": False},
                stream=True,
                timeout=silence,
            )
            with closing(response):
                response.raise_for_status()
                output = _read_output(response)
            exit_code = api.exec_inspect(created["Id"])["ExitCode"]
        if timeout is not None and exit_code in (124, 137) and monotonic() - began >= timeout:
            raise CommandTimeoutError(f"A command ran longer than {timeout:g} s.", output)
        if exit_code is None:
            raise SandboxError("a command could not be run: the engine lost its exit code.")
        return ExecResult(exit_code, output)

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
        """The container's /logs/{agent,verifier,artifacts}, in one call, into the trial's folder."""
        self.download("/logs", trial_dir, only=("agent", "verifier", "artifacts"))

    def stop(self) -> None:
        """Kill and remove the container; quiet when it is gone already."""
        if self._id is None:
            return
        with _engine_errors("the container could not be removed"):
            _remove(self._client, self._id)
        self._id = None

    def _put(self, sources: dict[str, Path], folders: tuple[str, ...] = ()) -> None:
        with pack(sources, folders) as archive:
            self._client.api.put_archive(self.id, "/", archive)

    def _first_files(self) -> dict[str, Path]:
        """environment/ goes into the workdir of a prebuilt image that has no Dockerfile beside it."""
        folder = self._task.environment
        prebuilt = self._task.config.environment.docker_image and not (folder / "Dockerfile").exists()
        return {self.workdir: folder} if prebuilt and folder.is_dir() else {}


def remove_leftovers(client: "DockerClient", job: str) -> int:
    """Remove the containers an earlier run of this job left behind; returns how many."""
    with _engine_errors("leftover containers could not be removed"):
        found = client.api.containers(all=True, filters={"label": f"{JOB_LABEL}={job}"})
        for container in found:
            _remove(client, container["Id"])
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


def _read_output(response: "Response") -> str:
    """The engine's frames (8-byte header: stream, 3 zeros, big-endian size) joined, cut at OUTPUT_BYTES."""
    output = bytearray()
    while header := response.raw.read(8):
        rest = int.from_bytes(header[4:], "big")
        while rest and (piece := response.raw.read(min(rest, 65536))):
            rest -= len(piece)
            output += piece[: max(OUTPUT_BYTES - len(output), 0)]
    return output.decode(errors="replace")
