"""Running commands in a container: over a channel where one can be had, else as a process of the engine."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from terminal_lego.harness.channel import Answer, attach

if TYPE_CHECKING:
    from docker import DockerClient
    from requests import Response

ROOT = ("", "root", "0")

# Two streams would reach the host in any order.
ONE_STREAM = ["sh", "-c", 'exec "$@" 2>&1', "sh"]


class Commands:
    """The commands of one container.

    Args:
        container: created, not started; told to run `channel.SERVER` with an open stdin.
        config: the image's. An image with a program of its own as entry point may run that instead.
    """

    def __init__(self, client: "DockerClient", container: str, config: Mapping[str, Any]):
        self._api, self._container = client.api, container
        user = config.get("User") or ""
        self._own = {"", user, *(ROOT if user in ROOT else ())}
        self._channel = None if config.get("Entrypoint") else attach(self._api, container)

    def run(
        self,
        words: Sequence[str],
        *,
        user: str,
        folder: str,
        variables: Mapping[str, str],
        silence: float | None,
        limit: int,
    ) -> Answer:
        """Run a program to its end; see `Channel.run`. Raises what the engine's client raises."""
        if self._channel and user in self._own:
            answer = self._channel.run(words, folder, variables, silence, limit)
            if answer:
                return answer
        api = self._api
        command = [*ONE_STREAM, *words]
        environment = dict(variables)
        made = api.exec_create(self._container, command, user=user, workdir=folder, environment=environment)
        # Not exec_start: it switches protocols and then reads past the bytes already buffered, so that
        # a busy host loses the beginning of an output.
        response = api.post(
            f"{api.base_url}/v{api.api_version}/exec/{made['Id']}/start",
            json={"Detach": False, "Tty": False},
            stream=True,
            timeout=silence,
        )
        with closing(response):
            response.raise_for_status()
            output = _read_output(response, limit)
        return Answer(api.exec_inspect(made["Id"])["ExitCode"], output)

    def close(self) -> None:
        if self._channel:
            self._channel.close()


def _read_output(response: "Response", limit: int) -> bytes:
    """The engine's frames (8-byte header: stream, 3 zeros, big-endian size) joined, cut at `limit`."""
    output = bytearray()
    while header := response.raw.read(8):
        rest = int.from_bytes(header[4:], "big")
        while rest and (piece := response.raw.read(min(rest, 65536))):
            rest -= len(piece)
            output += piece[: max(limit - len(output), 0)]
    return bytes(output)
