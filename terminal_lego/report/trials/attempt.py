"""One trial of a job, as its folder tells it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.harbor import is_trial, read_trial
from terminal_lego.formats.loading import dig, load_json, text_or
from terminal_lego.formats.trial_result import exception_type, one_reward, recorded_rewards, task_name
from terminal_lego.harness.record import AGENT_ERRORS
from terminal_lego.harness.verifier_output import verifier_trouble
from terminal_lego.trajectory import Trajectory

TAIL_CHARACTERS = 8_000
BOOTSTRAP_ERROR = "VerifierBootstrapError"

PASSED, PARTIAL, FAILED, LOST, UNFINISHED = "passed", "partial", "failed", "lost", "unfinished"


@dataclass(frozen=True)
class Attempt:
    """A trial folder of this harness or of Harbor; what cannot be read in it is as if it were not there.

    Attributes:
        result: parsed result.json, None while the trial has none.
    """

    folder: Path
    result: dict[str, Any] | None
    config: Any

    @classmethod
    def read(cls, folder: Path) -> "Attempt":
        result = _json(folder / "result.json")
        own = result if isinstance(result, dict) else None
        return cls(folder, own, _json(folder / "config.json") or dig(own, "config"))

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def task(self) -> str:
        return task_name(self.result, self.config, self.name.rpartition("__")[0] or self.name)

    @property
    def started(self) -> str:
        """ISO 8601, empty when nobody noted it."""
        return text_or(dig(self.result, "started_at"), "")

    @property
    def model(self) -> str:
        """Without what stands before the first slash, as results have it."""
        named = text_or(dig(self.config, "agent", "model_name"), "")
        return text_or(dig(self.result, "agent_info", "model_info", "name"), named.partition("/")[2] or named)

    @cached_property
    def rewards(self) -> dict[str, float]:
        return recorded_rewards(self.result)

    @property
    def reward(self) -> float | None:
        return one_reward(self.rewards)

    @cached_property
    def error(self) -> str | None:
        """The type name of what ended it; also of a verifier that could not fetch its tools."""
        if named := exception_type(self.result):
            return named
        if self.result is not None and not (self.reward or 0) > 0 and verifier_trouble(self.verifier_output):
            return BOOTSTRAP_ERROR
        return None

    @cached_property
    def outcome(self) -> str:
        if self.result is None:
            return UNFINISHED
        if self.error == BOOTSTRAP_ERROR or (not self.rewards and self.error not in (None, *AGENT_ERRORS)):
            return LOST
        reward = self.reward or 0.0
        return PASSED if reward >= 1 else PARTIAL if reward > 0 else FAILED

    @property
    def verifier_output(self) -> str:
        return _text(self.folder / "verifier" / "test-stdout.txt")

    @property
    def message(self) -> str:
        """What the exception said."""
        return text_or(dig(self.result, "exception_info", "exception_message"), "")

    @property
    def traceback(self) -> str:
        return _text(self.folder / "exception.txt") or text_or(
            dig(self.result, "exception_info", "exception_traceback"), ""
        )

    @property
    def agent_seconds(self) -> float | None:
        return seconds(dig(self.result, "agent_execution"))

    def conversation(self) -> list[Trajectory]:
        """Its segments. Raises TrajectoryError: there are none that can be read."""
        try:
            return read_trial(self.folder, self.name)
        except OSError as error:
            raise TrajectoryError(f"cannot be read: {error.strerror}") from None


def read_attempts(job: Path) -> list[Attempt]:
    """Every trial below a folder, by task and then in the order they began.

    Raises:
        TrajectoryError: there is no such folder, or no trial in it.
    """
    if not job.is_dir():
        raise TrajectoryError(f"{job} is not a folder; give a job's folder.")
    found = [Attempt.read(folder) for folder in _trial_folders(job)]
    if not found:
        raise TrajectoryError(f"{job} holds no trial; give the folder of a job, or of several.")
    return sorted(found, key=lambda attempt: (attempt.task, attempt.started or "~", attempt.name))


def seconds(phase: Any) -> float | None:
    """From `started_at` to `finished_at`."""
    try:
        began, ended = (datetime.fromisoformat(phase[key]) for key in ("started_at", "finished_at"))
        return (ended - began).total_seconds()
    except (TypeError, KeyError, ValueError):
        return None


def _trial_folders(folder: Path) -> Iterator[Path]:
    if is_trial(folder):
        yield folder
        return
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.is_symlink() and not child.name.startswith("."):
            yield from _trial_folders(child)


def _json(file: Path) -> Any:
    try:
        return load_json(file)
    except (TrajectoryError, OSError):
        return None


def _text(file: Path) -> str:
    """The end of a file; a symlink that a trial left behind is not followed."""
    try:
        if file.is_symlink():
            return ""
        with file.open("rb") as stream:
            stream.seek(0, 2)
            size = stream.tell()
            stream.seek(max(0, size - 4 * TAIL_CHARACTERS))
            return stream.read().decode(errors="replace")[-TAIL_CHARACTERS:]
    except OSError:
        return ""
