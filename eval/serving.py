"""`vllm serve` as a child process: started on a free port, waited for, stopped with the job."""

import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from terminal_lego.errors import ConfigError, StudentError

START_SECONDS = 1800.0  # loading and compiling a large model
STOP_SECONDS = 30.0
POLL_SECONDS = 0.5
SHOWN_CHARACTERS = 600


def has_vllm_and_gpu() -> bool:
    """Whether `vllm` is a command here and CUDA sees a device."""
    if shutil.which("vllm") is None:
        return False
    import torch

    return torch.cuda.is_available()


@contextmanager
def vllm_server(
    student: str, log: Path, arguments: Sequence[str] = (), *, start_seconds: float = START_SECONDS
) -> Iterator[str]:
    """Serves `student` under its own name; gives the base URL for a client.

    Args:
        student: folder or hub name.
        log: file for what the server prints.
        arguments: further ones of `vllm serve`.

    Raises:
        ConfigError: there is no `vllm` command.
        StudentError: the server ended, or was not ready within `start_seconds`.
    """
    executable = shutil.which("vllm")
    if executable is None:
        raise ConfigError(
            "serve=vllm needs the vllm command: install terminal-lego[serving], or set serve=transformers."
        )
    port = _free_port()
    address = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", student]
    command = [*_dies_with_parent(), executable, "serve", student, *address, *arguments]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        # Its own session: Ctrl-C is for this process, which still needs the server to end its trials.
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_until_ready(server, f"http://127.0.0.1:{port}", student, log, start_seconds)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        _stop(server)


def _wait_until_ready(
    server: "subprocess.Popen[bytes]", url: str, student: str, log: Path, seconds: float
) -> None:
    for _ in range(max(1, round(seconds / POLL_SECONDS))):
        if _is_healthy(url):
            return
        with suppress(subprocess.TimeoutExpired):
            code = server.wait(POLL_SECONDS)
            raise StudentError(f"{student}: vllm serve ended with {code}; see {log}: {_end(log)}")
    raise StudentError(f"{student}: vllm serve was not ready within {seconds:g} s; see {log}: {_end(log)}")


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=POLL_SECONDS) as answer:
            return answer.status == 200
    except OSError:
        return False


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """The whole session: its workers hold the GPU."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal_number)
        with suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS)


def _dies_with_parent() -> list[str]:
    """A prefix for a command that shall not outlive a killed runner."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _end(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace")[-SHOWN_CHARACTERS:].splitlines()[-3:])
