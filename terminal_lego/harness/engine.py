"""The Docker engine the trials run on: borrow the one that answers, else start a private one.

`python -m terminal_lego.harness.engine up|status|down` does the same from a shell.
"""

import argparse
import fcntl
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.errors import EngineUnavailableError, TerminalLegoError
from terminal_lego.harness.apt import apt_install
from terminal_lego.harness.base_image import BASE_IMAGE, Progress, ensure_image, silent

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["BASE_IMAGE", "answers", "connect", "ensure_image", "stop"]

START_SECONDS = 60.0
CALL_SECONDS = 60.0
POOL_SIZE = 64


def connect(start: bool = True, progress: Progress = silent) -> "DockerClient":
    """A client of the engine that answers (`DOCKER_HOST` is respected; of several the first).

    When none does and `start` is set, root gets a private engine, installed with apt-get where that is
    possible. Never starts one beside a running one. Raises EngineUnavailableError.
    """
    if client := _answering():
        return client
    if not start:
        raise EngineUnavailableError(
            f"No Docker engine answers at {_address()}: start it, or set DOCKER_HOST."
        )
    if "DOCKER_HOST" in os.environ:
        raise EngineUnavailableError(f"DOCKER_HOST={_address()} does not answer: start it, or unset it.")
    if os.geteuid() != 0:
        raise EngineUnavailableError(
            f"No Docker engine answers at {_address()} and only root may start one: start Docker, "
            "join the group that owns its socket, or set DOCKER_HOST."
        )
    with _lock():
        return _answering() or _start(progress)


@contextmanager
def connect_all() -> "Iterator[list[DockerClient]]":
    """A client for each engine in `DOCKER_HOST`, which may name several with commas between them.

    Raises EngineUnavailableError, naming the one that does not answer.
    """
    addresses = _addresses()
    with ExitStack() as stack:
        if len(addresses) == 1:
            yield [stack.enter_context(closing(connect()))]
            return
        clients = []
        for address in addresses:
            client = _answering(address)
            if client is None:
                raise EngineUnavailableError(
                    f"DOCKER_HOST={address} does not answer: start it, or leave it out."
                )
            clients.append(stack.enter_context(closing(client)))
        yield clients


def answers(client: "DockerClient") -> bool:
    """Whether the engine of a client does, now."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        return bool(client.ping())
    except (DockerException, RequestException):
        return False


def stop() -> bool:
    """End the engine that `connect` started, by its recorded pid; False when there is none."""
    pid = _own_pid()
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + START_SECONDS
    while _is_dockerd(pid):
        if time.monotonic() > deadline:
            raise EngineUnavailableError(f"The engine (pid {pid}) did not stop in {START_SECONDS:.0f} s.")
        time.sleep(0.1)
    return True


def _start(progress: Progress) -> "DockerClient":
    if running := _running_dockerd():
        progress(f"waiting for the engine that is already running (pid {running})")
        try:
            return _wait(running)
        except EngineUnavailableError:
            if _is_dockerd(running):
                raise  # alive and silent: not ours to replace
    if shutil.which("dockerd") is None:
        _install(progress)
        if client := _answering():  # a package may start its own service
            return client
    folder = _folder()
    log = folder / "dockerd.log"
    progress(f"starting dockerd (data and log in {folder})")
    # Not subprocess: its handle complains when the program ends before the engine does.
    pid = os.posix_spawnp(
        "dockerd",
        ["dockerd", "--data-root", str(folder / "data"), "--pidfile", str(folder / "dockerd.pid")],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    try:
        return _wait(pid)
    except EngineUnavailableError as error:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        raise EngineUnavailableError(f"{error} It said:\n{tail}") from error
    finally:
        os.waitpid(pid, os.WNOHANG)


def _wait(pid: int) -> "DockerClient":
    deadline = time.monotonic() + START_SECONDS
    while _is_dockerd(pid) and time.monotonic() < deadline:
        if client := _answering():
            return client
        time.sleep(0.1)
    raise EngineUnavailableError(f"dockerd (pid {pid}) gave no answer at {_address()}.")


def _install(progress: Progress) -> None:
    if shutil.which("apt-get") is None:
        raise EngineUnavailableError("There is neither dockerd nor apt-get: install Docker first.")
    progress("installing docker.io and iptables with apt-get")
    apt_install("docker.io", "iptables")


def _answering(address: str | None = None) -> "DockerClient | None":
    import docker
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    address = address or _address()
    if not _listens(address):
        return None
    client = None
    try:
        environment = {**os.environ, "DOCKER_HOST": address}
        client = docker.from_env(timeout=CALL_SECONDS, max_pool_size=POOL_SIZE, environment=environment)
        client.ping()
    except (DockerException, RequestException):
        if client is not None:
            client.close()
        return None
    return client


def _listens(address: str) -> bool:
    """Asked first, since the Docker client leaks a socket for every refused connection."""
    if not address.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(address.removeprefix("unix://")) == 0


def _address() -> str:
    return _addresses()[0]


def _addresses() -> list[str]:
    named = [address.strip() for address in os.environ.get("DOCKER_HOST", "").split(",")]
    return [address for address in named if address] or ["unix:///var/run/docker.sock"]


def _folder() -> Path:
    folder = Path(os.environ.get("TERMINAL_LEGO_ENGINE_DIR", "/var/lib/terminal-lego/engine"))
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    return folder


@contextmanager
def _lock() -> Iterator[None]:
    with (_folder() / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _own_pid() -> int | None:
    try:
        pid = int((_folder() / "dockerd.pid").read_text())
    except (OSError, ValueError):
        return None
    return pid if _is_dockerd(pid) else None


def _is_dockerd(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    name, state = status[status.index("(") + 1 : status.rindex(")")], status[status.rindex(")") + 2]
    return name == "dockerd" and state != "Z"


def _running_dockerd() -> int | None:
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return next((pid for pid in pids if _is_dockerd(pid)), None)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m terminal_lego.harness.engine", description=__doc__)
    parser.add_argument("action", choices=["up", "status", "down"])
    action = parser.parse_args(arguments).action

    def say(line: str) -> None:
        print(line, flush=True)

    try:
        if action == "down":
            say("stopped" if stop() else "no engine of this project is running")
            return 0
        client = connect(start=action == "up", progress=say)
        say(f"engine {client.version()['Version']} answers at {_address()}")
        if action == "up":
            ensure_image(client, BASE_IMAGE, progress=say)
        say(f"image {BASE_IMAGE}: {'present' if client.images.list(BASE_IMAGE) else 'missing'}")
    except TerminalLegoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
