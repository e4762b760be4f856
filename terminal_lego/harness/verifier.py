"""From the state an agent left behind to a reward."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import (
    CommandTimeoutError,
    RewardFileEmptyError,
    RewardFileNotFoundError,
    VerifierOutputParseError,
    VerifierTimeoutError,
)
from terminal_lego.harness.support import expand
from terminal_lego.task import Task

if TYPE_CHECKING:
    from terminal_lego.harness.sandbox import Sandbox

STALE = "reward.json reward.txt test-stdout.txt"
PREPARE = f"mkdir -p /logs/verifier && cd /logs/verifier && chmod 777 . && rm -rf {STALE}"
TEST = "/tests/test.sh > /logs/verifier/test-stdout.txt 2>&1"


def verify(sandbox: "Sandbox", task: Task, trial_dir: Path, *, multiplier: float = 1.0) -> dict[str, float]:
    """Upload tests/, run test.sh and read the rewards; its exit code means nothing.

    The container's logs end up in `trial_dir/{agent,verifier,artifacts}`, after a timeout too.

    Raises:
        VerifierTimeoutError: it ran longer than `[verifier] timeout_sec` times `multiplier`.
        RewardFileNotFoundError, RewardFileEmptyError, VerifierOutputParseError: see `read_rewards`.
        SandboxError: the container or the engine is gone.
    """
    settings = task.config.verifier
    limit = settings.timeout_sec * multiplier
    env = expand(settings.env, task)
    sandbox.upload(task.tests, "/tests")
    try:
        if _is_root(settings.user if settings.user is not None else sandbox.user):
            sandbox.exec(f"({PREPARE}); {TEST}", user=settings.user, env=env, timeout=limit)
        else:
            sandbox.exec(PREPARE, user="root", timeout=limit)
            sandbox.exec(TEST, user=settings.user, env=env, timeout=limit)
    except CommandTimeoutError as error:
        sandbox.download_logs(trial_dir)
        raise VerifierTimeoutError(
            f"{task.name}: tests/test.sh ran longer than {limit:g} s; see `[verifier] timeout_sec`."
        ) from error
    sandbox.download_logs(trial_dir)
    return read_rewards(trial_dir / "verifier")


def read_rewards(folder: Path) -> dict[str, float]:
    """The rewards a verifier wrote; reward.json counts when both files are there.

    reward.txt holds one number, named "reward"; reward.json a flat object of numbers (true is 1).

    Raises:
        RewardFileNotFoundError: there is neither file.
        RewardFileEmptyError: the file has no bytes.
        VerifierOutputParseError: something in it is not a finite number.
    """
    file = next((folder / name for name in ("reward.json", "reward.txt") if (folder / name).is_file()), None)
    if file is None:
        raise RewardFileNotFoundError(
            f"{folder}: tests/test.sh wrote neither reward.json nor reward.txt; see test-stdout.txt."
        )
    content = file.read_bytes()
    if not content:
        raise RewardFileEmptyError(f"{file} is empty; tests/test.sh must write a number to it.")
    rewards = _parse_json(file, content) if file.suffix == ".json" else {"reward": _parse_text(content)}
    for name, value in rewards.items():
        if not math.isfinite(value):
            raise VerifierOutputParseError(f"{file}: {name} is not a finite number; let test.sh write one.")
    return rewards


def _parse_text(content: bytes) -> float:
    try:
        return float(content.decode("utf-8"))
    except ValueError:
        return math.nan


def _parse_json(file: Path, content: bytes) -> dict[str, float]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or not data:
        raise VerifierOutputParseError(f'{file} must be a JSON object of numbers, such as {{"reward": 1}}.')
    return {name: _number(value) for name, value in data.items()}


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, bool | int | float) else math.nan
    except OverflowError:
        return math.inf


def _is_root(user: str | int) -> bool:
    return str(user).split(":")[0] in ("", "root", "0")
