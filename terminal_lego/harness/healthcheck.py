"""Waiting until a started container says that it is ready."""

import time
from typing import TYPE_CHECKING

from terminal_lego.errors import CommandTimeoutError, HealthcheckError
from terminal_lego.task_config import Healthcheck

if TYPE_CHECKING:
    from terminal_lego.harness.sandbox import Sandbox


def wait_until_healthy(sandbox: "Sandbox", check: Healthcheck) -> None:
    """The first success passes; `retries` failures in a row after the start period raise HealthcheckError."""
    start_period_ends = time.monotonic() + check.start_period_sec
    failures = 0
    while not _passes(sandbox, check):
        starting = time.monotonic() < start_period_ends
        failures += not starting
        if failures >= check.retries:
            raise HealthcheckError(f"The health check failed {failures} times in a row: {check.command}")
        time.sleep(check.start_interval_sec if starting else check.interval_sec)


def _passes(sandbox: "Sandbox", check: Healthcheck) -> bool:
    try:
        return sandbox.exec(check.command, timeout=check.timeout_sec).exit_code == 0
    except CommandTimeoutError:
        return False
