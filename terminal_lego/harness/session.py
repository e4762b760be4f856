"""A terminal in a sandbox, as Terminus-2 drives one: tmux, one keystroke string at a time."""

import base64
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from terminal_lego.errors import AgentSetupError, AgentSetupTimeoutError, CommandTimeoutError, SandboxError
from terminal_lego.harness.observation import delta

if TYPE_CHECKING:
    from terminal_lego.harness.sandbox import ExecResult

MAX_WAIT = 60.0
SCROLLBACK = 10_000  # lines
MAX_ARGUMENT = 16_000  # bytes; tmux refuses longer commands
PASTE_PIECE = 60_000  # bytes; one argument of a program may have 128 KiB, base64 included
CALL_SECONDS = 60.0
SETUP_SECONDS = 120.0
NO_TMUX = 42

_SCRIPTS = Path(__file__).parent / "scripts"


class Shell(Protocol):
    """The part of a sandbox a terminal needs: run `bash -c` in the container."""

    def exec(
        self, command: str, *, user: str | int | None = None, timeout: float | None = None
    ) -> "ExecResult": ...


class TerminalSession:
    """One 160x40 tmux session with an interactive bash, seen through its screen and scrollback.

    Args:
        sandbox: where it runs.
        user: who it runs as; None for the sandbox's default.
        quirks: behaviours of the reference to reproduce, see quirks.md.
        log: file in the container that receives everything the pane prints.
        sleep, clock: how to wait and to know how long sending took.
    """

    def __init__(
        self,
        sandbox: Shell,
        *,
        user: str | int | None = None,
        quirks: frozenset[str] = frozenset(),
        name: str = "terminus-2",
        log: str = "/logs/agent/terminus_2.pane",
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sandbox, self._user, self._name, self._log = sandbox, user, name, log
        self._quirks = quirks
        self._sleep, self._clock = sleep, clock
        self._previous: str | None = None
        self._alive = False
        self._separator = f"visible-{uuid4().hex}"

    def start(self) -> None:
        """Open the session and wait until its prompt stands on a clean screen.

        Installs tmux when the image has none. Raises AgentSetupError, AgentSetupTimeoutError.
        """
        recorder = _SCRIPTS / "recorder_shell.sh" if "recorder-shell" in self._quirks else None
        values = {
            "session": self._name,
            "log": self._log,
            "history": "" if "short-scrollback" in self._quirks else str(SCROLLBACK),
            "recorder": recorder.read_text() if recorder else "",
        }
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in values.items()]
        script = "".join(lines) + (_SCRIPTS / "start_session.sh").read_text()
        result = self._set_up(script, self._user)
        if result.exit_code == NO_TMUX:
            installed = self._set_up((_SCRIPTS / "install_tmux.sh").read_text(), "root")
            if installed.exit_code:
                raise AgentSetupError(
                    "The image has no tmux and its package manager could not install it: add tmux to the "
                    f"image, or let the environment reach a package mirror.\n{_tail(installed.output)}"
                )
            result = self._set_up(script, self._user)
        if result.exit_code:
            raise AgentSetupError(
                f"tmux could not open a session with bash (exit code {result.exit_code}): "
                f"the image needs a working bash and a writable /tmp.\n{_tail(result.output)}"
            )
        self._alive = True

    def _set_up(self, script: str, user: str | int | None) -> "ExecResult":
        try:
            return self._sandbox.exec(script, user=user, timeout=SETUP_SECONDS)
        except CommandTimeoutError as error:
            raise AgentSetupTimeoutError(
                f"The terminal was not ready after {SETUP_SECONDS:g} s: put tmux into the image, "
                f"or run fewer trials at once.\n{_tail(error.output)}"
            ) from error

    def send(self, keystrokes: str, duration: float) -> None:
        """Type, then wait out the rest of `duration` (60 s at most; NaN and negative: no wait).

        Nothing waits for a command to end. When the session is gone the keystrokes go nowhere and
        `alive()` says so. Raises SandboxError when a living session refuses them.
        """
        started = self._clock()
        text = keystrokes.encode("utf-8", "replace").decode()
        if text and self._alive:
            self._type(text)
        wait = min(duration, MAX_WAIT) - (self._clock() - started)
        if wait > 0:
            self._sleep(wait)

    def _type(self, text: str) -> None:
        semicolon = text.endswith(";") and "final-semicolon" not in self._quirks
        argument = shlex.quote(f"{text[:-1]}\\;" if semicolon else text)
        command = f"tmux send-keys -t {self._name} -- {argument}"
        fits = len(command.encode()) <= MAX_ARGUMENT and "\0" not in text
        result = self._exec(command) if fits else self._paste(text)
        if result.exit_code and "too long" in result.output:
            result = self._paste(text)
        if result.exit_code == 0:
            return
        self._alive = self._exec(f"tmux has-session -t {self._name}").exit_code == 0
        if self._alive:
            raise SandboxError(f"tmux refused the keystrokes {text[:80]!r}: {_tail(result.output)}")

    def _paste(self, text: str) -> "ExecResult":
        """Deliver text of any length through a file."""
        newlines = "" if "paste-returns" in self._quirks else " -r"
        buffer = f"paste-{uuid4().hex}"
        data = text.encode()
        for start in range(0, len(data), PASTE_PIECE):
            piece = base64.b64encode(data[start : start + PASTE_PIECE]).decode()
            self._exec(f"printf %s {piece} | base64 -d >> /tmp/{buffer}")
        return self._exec(
            f"tmux load-buffer -b {buffer} /tmp/{buffer} && "
            f"tmux paste-buffer -d{newlines} -b {buffer} -t {self._name}; "
            f"status=$?; rm -f /tmp/{buffer}; exit $status"
        )

    def observe(self) -> str:
        """Capture scrollback and screen at one moment and return what is new, labelled; not limited."""
        result = self._exec(
            f"tmux capture-pane -p -S - -t {self._name} \\; display-message -p {self._separator} \\; "
            f"capture-pane -p -t {self._name}"
        )
        full, separator, visible = result.output.rpartition(f"{self._separator}\n")
        self._alive = result.exit_code == 0 and bool(separator)
        if not self._alive:
            full = visible = ""
        observation = delta(self._previous, full, visible, relative_offset="relative-offset" in self._quirks)
        self._previous = full
        return observation

    def screen(self) -> str:
        """The visible rows as they are; what the next `observe` calls new does not depend on it."""
        result = self._exec(f"tmux capture-pane -p -t {self._name}")
        return "" if result.exit_code else result.output

    def alive(self) -> bool:
        """Whether the session still existed at the last `send` or `observe`."""
        return self._alive

    def _exec(self, command: str) -> "ExecResult":
        return self._sandbox.exec(command, user=self._user, timeout=CALL_SECONDS)


def _tail(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-5:])
