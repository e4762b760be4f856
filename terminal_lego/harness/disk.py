"""No container may fill the machine's disk: the engine has no limit for it that works everywhere."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from terminal_lego.errors import InfrastructureError, SandboxError, StorageLimitExceededError

if TYPE_CHECKING:
    from terminal_lego.harness.sandbox import DockerSandbox

DEFAULT_MB = 20 * 1024
"""For a task that says nothing."""

SECONDS = 20.0
"""Between two looks. One costs the engine a walk over what the container wrote."""


@contextmanager
def watching_disk(sandbox: "DockerSandbox", limit_mb: float | None) -> Iterator[None]:
    """Kills the container when it has written more than `limit_mb`, whatever was deleted meanwhile left out.

    Raises StorageLimitExceededError in place of the error that this makes.
    """
    limit = limit_mb or DEFAULT_MB
    done, written = threading.Event(), []

    def watch() -> None:
        while not done.wait(SECONDS):
            with suppress(SandboxError):
                if (found := sandbox.written_mb()) > limit:
                    written.append(found)
                    sandbox.kill()
                    return

    watcher = threading.Thread(target=watch, name="disk", daemon=True)
    watcher.start()
    try:
        yield
    except InfrastructureError as error:
        if written:
            raise StorageLimitExceededError(
                f"The container had written {written[0]:,.0f} MB, {limit:,.0f} are its limit "
                "(`[environment] storage_mb` in task.toml)."
            ) from error
        raise
    finally:
        done.set()
        watcher.join()
