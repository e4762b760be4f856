"""What a container may reach, in each phase of a trial.

A container whose phases are all public or all without a network is simply started so, or plugged in and out
of the engine's bridge. One that has an allowlist in some phase lives on a network of its own with no way
out, beside a proxy that decides; no image from a registry is needed for it.
"""

import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from terminal_lego.errors import SandboxError
from terminal_lego.harness.archive import pack
from terminal_lego.harness.base_image import BASE_IMAGE, ensure_image
from terminal_lego.task import Task
from terminal_lego.task_config import AgentConfig, EnvironmentConfig, NetworkMode, VerifierConfig

if TYPE_CHECKING:
    from docker import DockerClient

PROXY = Path(__file__).parent / "scripts" / "egress_proxy.py"
PROXY_NAME = "egress-proxy"
PORT = 3128
PROXY_MEMORY = "128m"
PROXY_THREADS = 512
PROXY_SECONDS = 60


@dataclass(frozen=True)
class Policy:
    """`hosts` only with an allowlist."""

    mode: NetworkMode
    hosts: tuple[str, ...] = ()

    @property
    def rules(self) -> str:
        """What the proxy lets through, one rule per line."""
        lines = {"public": ("*",), "no-network": (), "allowlist": self.hosts}[self.mode]
        return "".join(f"{line}\n" for line in lines)


NOTHING = Policy("no-network")


def start_policy(task: Task) -> Policy:
    """The one a container starts under."""
    return _policy(task.config.environment)


def agent_policy(task: Task) -> Policy:
    return _explicit(task.config.agent) or start_policy(task)


def verifier_policy(task: Task) -> Policy:
    """Nothing for a baked task that does not say otherwise: its tools are there."""
    baseline = NOTHING if task.baked else start_policy(task)
    return _explicit(task.config.verifier) or baseline


def policies(task: Task) -> set[Policy]:
    """All that a container of this task comes under."""
    found = {start_policy(task)}
    for part in task.steps or (task,):
        found |= {agent_policy(part), verifier_policy(part)}
    return found


class ContainerNetwork:
    """The network of one container.

    Args:
        labels: put on everything that is made, so that `remove_networks` finds it.
    """

    def __init__(self, client: "DockerClient", task: Task, labels: dict[str, str]) -> None:
        self._client, self._labels = client, labels
        self._policies, self._now = policies(task), start_policy(task)
        self._inner: str | None = None
        self._proxy: str | None = None

    @property
    def guarded(self) -> bool:
        """Whether a proxy stands in between."""
        return any(policy.mode == "allowlist" for policy in self._policies)

    @property
    def variables(self) -> dict[str, str]:
        """By which programs in the container find the proxy."""
        if not self.guarded:
            return {}
        proxy = {f"{scheme}_proxy": f"http://{PROXY_NAME}:{PORT}" for scheme in ("http", "https")}
        local = {"no_proxy": "localhost,127.0.0.1,::1"}
        return {case(name): value for name, value in (proxy | local).items() for case in (str, str.upper)}

    def open(self) -> dict[str, Any]:
        """Make what the container needs; returns arguments for its creation."""
        if not self.guarded:
            return {"network_mode": "none" if self._now.mode == "no-network" else "bridge"}
        # Without an address of its own on this bridge, the host cannot be reached over it either.
        options = {"com.docker.network.bridge.inhibit_ipv4": "true"}
        api = self._client.api
        self._inner = api.create_network(
            f"terminal-lego-{uuid4().hex}",
            driver="bridge",
            internal=True,
            options=options,
            labels=self._labels,
        )["Id"]
        self._start_proxy(self._inner)
        return {"network": self._inner}

    def enter(self, container: str, policy: Policy) -> None:
        """Put the container under a policy; what it has open to anything else is cut."""
        api = self._client.api
        before, self._now = self._now, policy
        if self._proxy:
            self._write_rules(policy)
        elif "no-network" in (before.mode, policy.mode) and before != policy:
            left, joined = ("none", "bridge") if policy.mode == "public" else ("bridge", "none")
            api.disconnect_container_from_network(container, left)
            api.connect_container_to_network(container, joined)

    def close(self) -> None:
        """Remove the proxy and the network; the container must be gone."""
        if self._proxy:
            _remove_container(self._client, self._proxy)
        if self._inner:
            _remove_network(self._client, self._inner)
        self._proxy = self._inner = None

    def _start_proxy(self, inner: str) -> None:
        ensure_image(self._client, BASE_IMAGE)
        container = self._client.containers.create(
            BASE_IMAGE,
            ["python3", f"/{PROXY.name}", str(PORT), "/rules"],
            detach=True,
            labels=self._labels,
            network_mode="bridge",
            mem_limit=PROXY_MEMORY,
            memswap_limit=PROXY_MEMORY,
            pids_limit=PROXY_THREADS,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
        )
        self._proxy = container.id
        api = self._client.api
        api.connect_container_to_network(container.id, inner, aliases=[PROXY_NAME])
        with pack({f"/{PROXY.name}": PROXY}) as archive:
            api.put_archive(container.id, "/", archive)
        self._write_rules(self._now)
        container.start()
        limit = time.monotonic() + PROXY_SECONDS
        while not api.logs(container.id):  # its first words are that it listens
            if time.monotonic() > limit:
                raise SandboxError(f"the egress proxy did not start within {PROXY_SECONDS} s")
            time.sleep(0.02)

    def _write_rules(self, policy: Policy) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "rules"
            file.write_text(policy.rules)
            with pack({"/rules": file}) as archive:
                self._client.api.put_archive(self._proxy, "/", archive)


def remove_networks(client: "DockerClient", labels: list[str]) -> None:
    """Remove the networks with all these labels, whose containers are gone."""
    for network in client.api.networks(filters={"label": labels}):
        _remove_network(client, network["Id"])


def _remove_network(client: "DockerClient", network: str) -> None:
    from docker.errors import NotFound

    with suppress(NotFound):
        client.api.remove_network(network)


def _remove_container(client: "DockerClient", container: str) -> None:
    from docker.errors import NotFound

    with suppress(NotFound):
        client.api.remove_container(container, force=True, v=True)


def _explicit(phase: AgentConfig | VerifierConfig) -> Policy | None:
    return (
        None if phase.network_mode is None else Policy(phase.network_mode, tuple(phase.allowed_hosts or ()))
    )


def _policy(environment: EnvironmentConfig) -> Policy:
    return Policy(environment.network_mode, tuple(environment.allowed_hosts or ()))
