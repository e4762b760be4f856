"""A sandbox without an engine: this machine's bash and tmux, on a tmux server of its own."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from terminal_lego.harness.sandbox import ExecResult

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed on this machine")


class LocalSandbox:
    """`/logs` in a command stands for a folder of this sandbox; users are ignored."""

    def __init__(self, folder: Path):
        self.home = folder / "home"
        self.logs = folder / "logs"
        self.home.mkdir()
        (self.home / ".bashrc").write_text("PS1='$ '\n")
        # The path of a socket may have about 100 bytes, and a test's folder is often longer.
        self.sockets = tempfile.mkdtemp(prefix="tmux-")
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "TMUX_TMPDIR": self.sockets}

    def exec(
        self, command: str, *, user: str | int | None = None, timeout: float | None = None
    ) -> ExecResult:
        done = subprocess.run(
            ["bash", "-c", command.replace("/logs/", f"{self.logs}/")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            cwd=self.home,
            env=self.environment,
        )
        return ExecResult(done.returncode, done.stdout.decode(errors="replace"))

    def screen(self) -> str:
        return self.exec("tmux capture-pane -p").output

    def at_prompt(self) -> bool:
        return self.screen().rstrip().endswith(("$", "#"))

    def has_session(self) -> bool:
        return self.exec("tmux has-session").exit_code == 0

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, 20 s at most."""
        for _ in range(2_000):
            if condition():
                return
            time.sleep(0.01)
        raise AssertionError(f"it never came true; the screen shows:\n{self.screen()}")

    def close(self) -> None:
        self.exec("tmux kill-server")
        shutil.rmtree(self.sockets)
