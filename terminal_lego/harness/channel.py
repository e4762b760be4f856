"""One connection to a container over which commands run, one after another.

A process that the engine makes costs about 60 ms, most of it processor time; a command over a channel 5 ms.
At the other end the container's first process runs scripts/channel.sh.
"""

import re
import secrets
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from docker import APIClient

SERVER = ["bash"]
"""What reads the script; as a container's first process it cannot be killed from inside and reaps orphans."""

_SCRIPT = Path(__file__).parent / "scripts" / "channel.sh"
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_STDOUT = 1
_LAST_LINE = 64  # bytes, more than a mark with its exit code has


class Answer(NamedTuple):
    """`exit_code` is None when the connection ended before the command did."""

    exit_code: int | None
    output: bytes


class Channel:
    """Runs one command at a time.

    Args:
        connection: what the engine's client returns for a socket to a process that runs SERVER.
    """

    def __init__(self, connection: Any):
        self._connection = connection
        self._socket = getattr(connection, "_sock", connection)
        self._frames = self._socket.makefile("rb")
        self._busy = threading.Lock()
        self._unsent = _SCRIPT.read_bytes()
        self.is_open = True

    def run(
        self,
        words: Sequence[str],
        folder: str,
        variables: Mapping[str, str],
        silence: float | None,
        limit: int,
    ) -> Answer | None:
        """Run a program to its end; None when it was not begun and the engine must be asked instead.

        Args:
            words: the program and its arguments.
            silence: seconds the container may say nothing, before OSError.
            limit: bytes of output to keep; stdout and stderr are one stream.
        """
        fields = [folder, str(len(variables)), *(f"{name}={value}" for name, value in variables.items())]
        fields += [str(len(words)), *words]
        fits = all(map(_NAME.fullmatch, variables)) and not any("\0" in field for field in fields)
        if not fits or not self._busy.acquire(blocking=False):
            return None
        try:
            return self._run(fields, silence, limit) if self.is_open else None
        except BaseException:
            self.close()
            raise
        finally:
            self._busy.release()

    def _run(self, fields: list[str], silence: float | None, limit: int) -> Answer | None:
        mark = secrets.token_hex(16)
        request = b"".join(field.encode() + b"\0" for field in (mark, *fields))
        self._socket.settimeout(silence)
        try:
            self._socket.sendall(self._unsent + request)
        except OSError:
            self.close()
            return None
        self._unsent = b""
        answer = self._answer(mark.encode(), limit)
        if answer is None or answer.exit_code is None:
            self.close()
        return answer

    def _answer(self, mark: bytes, limit: int) -> Answer | None:
        go, no = mark + b" go\n", mark + b" no\n"
        end = re.compile(re.escape(mark) + rb" (\d+)\n")
        data, begun = bytearray(), False
        while piece := self._read():
            data += piece
            if not begun:
                _, begun, rest = data.partition(go)
                data = rest if begun else data[-_LAST_LINE:]
            last = max(len(data) - _LAST_LINE, 0)
            if data.find(no, last) >= 0:
                return None
            if begun and (found := end.search(data, last)):
                return Answer(int(found[1]), bytes(data[: min(found.start(), limit)]))
            if len(data) > limit + _LAST_LINE:
                del data[limit:-_LAST_LINE]
        return Answer(None, bytes(data[:limit])) if begun else None

    def _read(self) -> bytes:
        """The next bytes of stdout from the engine's frames: stream, 3 zeros, 4 bytes of size, content."""
        while len(header := self._frames.read(8)) == 8:
            content = self._frames.read(int.from_bytes(header[4:], "big"))
            if header[0] == _STDOUT:
                return content
        return b""

    def close(self) -> None:
        self.is_open = False
        for each in (self._frames, self._socket, self._connection):
            with suppress(OSError):
                each.close()

    def __del__(self) -> None:
        self.close()


def attach(api: "APIClient", container: str) -> Channel:
    """A channel of the container's first process, which must be SERVER with an open stdin."""
    return Channel(api.attach_socket(container, {"stdin": 1, "stdout": 1, "stream": 1}))
