"""From the state an agent left behind to a reward."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import (
    AddTestsDirError,
    CommandTimeoutError,
    DownloadVerifierDirError,
    InfrastructureError,
    RewardFileEmptyError,
    RewardFileNotFoundError,
    SandboxError,
    VerifierBootstrapError,
    VerifierOutputParseError,
    VerifierTimeoutError,
)
from terminal_lego.harness.support import expand
from terminal_lego.harness.verifier_output import verifier_trouble
from terminal_lego.task import Task

if TYPE_CHECKING:
    from terminal_lego.harness.sandbox import Sandbox

STALE = "reward.json reward.txt test-stdout.txt"
# The agent may have left anything there, a link to somewhere else included.
PREPARE = (
    "for d in /logs /logs/verifier; do [ -d $d ] && [ ! -L $d ] || rm -rf $d; done; "
    f"mkdir -p /logs/verifier && cd /logs/verifier && chmod 777 . && rm -rf {STALE}"
)
# What is in a baked image is not looked for anywhere else.
OFFLINE = {"UV_OFFLINE": "1", "PIP_RETRIES": "0"}
TEST = "/tests/test.sh > /logs/verifier/test-stdout.txt 2>&1"


def verify(sandbox: "Sandbox", task: Task, trial_dir: Path, *, multiplier: float = 1.0) -> dict[str, float]:
    """Upload tests/, run test.sh and read the rewards; its exit code means nothing.

    A step's tests go over those of its task; an image made for the verifier has them already.

    The container's logs end up in `trial_dir/{agent,verifier,artifacts}`, after a timeout too.

    Raises:
        VerifierTimeoutError: it ran longer than `[verifier] timeout_sec` times `multiplier`.
        RewardFileNotFoundError, RewardFileEmptyError, VerifierOutputParseError: see `read_rewards`.
        VerifierBootstrapError: its tools could not be downloaded, and no test ran.
        AddTestsDirError, DownloadVerifierDirError, SandboxError: the container or the engine is gone.
    """
    settings = task.config.verifier
    limit = settings.timeout_sec * multiplier
    env = (OFFLINE if task.baked else {}) | expand(settings.env, task)
    _upload_tests(sandbox, task)
    try:
        if _is_root(settings.user if settings.user is not None else sandbox.user):
            sandbox.exec(f"({PREPARE}); {TEST}", user=settings.user, env=env, timeout=limit)
        else:
            sandbox.exec(PREPARE, user="root", timeout=limit)
            sandbox.exec(TEST, user=settings.user, env=env, timeout=limit)
    except CommandTimeoutError as error:
        _download_logs(sandbox, trial_dir)
        raise VerifierTimeoutError(
            f"{task.name}: tests/test.sh ran longer than {limit:g} s; see `[verifier] timeout_sec`."
        ) from error
    _download_logs(sandbox, trial_dir)
    return _verdict(task.name, trial_dir / "verifier")


def _upload_tests(sandbox: "Sandbox", task: Task) -> None:
    if task.context:
        return
    folders = dict.fromkeys((task.path / "tests", task.tests))
    try:
        for folder in filter(Path.is_dir, folders):
            sandbox.upload(folder, "/tests")
    except SandboxError as error:
        raise AddTestsDirError(f"{task.name}: the tests did not get into the container: {error}") from error


def _download_logs(sandbox: "Sandbox", trial_dir: Path) -> None:
    try:
        sandbox.download_logs(trial_dir)
    except SandboxError as error:
        raise DownloadVerifierDirError(f"What the verifier wrote cannot be had: {error}") from error


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


def _verdict(task: str, folder: Path) -> dict[str, float]:
    """The rewards; a zero, or none, is no verdict when a failed download kept every test from running."""
    stdout = folder / "test-stdout.txt"
    trouble = verifier_trouble(stdout.read_text(errors="replace")) if stdout.is_file() else None
    try:
        rewards = read_rewards(folder)
    except InfrastructureError:
        if trouble is None:
            raise
        rewards = {}
    if trouble and not any(rewards.values()):
        raise VerifierBootstrapError(
            f"{task}: no test ran, as {trouble} could not fetch what tests/test.sh asks for; see {stdout}."
        )
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
