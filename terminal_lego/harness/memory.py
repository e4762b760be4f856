"""Telling a container that ran out of memory from one that is broken."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from terminal_lego.errors import (
    AgentSetupError,
    InfrastructureError,
    MemoryLimitExceededError,
    RewardFileEmptyError,
    RewardFileNotFoundError,
    SandboxError,
)

if TYPE_CHECKING:
    from terminal_lego.harness.sandbox import DockerSandbox

SYMPTOMS = (SandboxError, AgentSetupError, RewardFileNotFoundError, RewardFileEmptyError)
# Of the container's own group: version 2 of the kernel's interface, then version 1.
COUNTERS = "/sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control"
SECONDS = 10


@contextmanager
def naming_memory(sandbox: "DockerSandbox") -> Iterator[None]:
    """What looks broken is a MemoryLimitExceededError where the kernel killed for memory in the container."""
    try:
        yield
    except SYMPTOMS as error:
        if killed := _killed(sandbox):
            raise MemoryLimitExceededError(
                f"{killed} processes were killed as the container had no memory left, and then: {error} "
                "See `[environment] memory_mb` in task.toml."
            ) from error
        raise


def _killed(sandbox: "DockerSandbox") -> int:
    """How many processes the kernel killed for memory in the container; at least 1 when pid 1 was."""
    try:
        shown = sandbox.exec(f"cat {COUNTERS} 2>/dev/null", user="root", timeout=SECONDS).output
    except InfrastructureError:
        try:
            return int(sandbox.was_killed_for_memory())
        except SandboxError:
            return 0
    return sum(int(line.split()[1]) for line in shown.splitlines() if line.startswith("oom_kill "))
