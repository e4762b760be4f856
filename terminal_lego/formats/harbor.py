"""A Harbor trial directory: agent/trajectory.json, result.json, and the raw replies if it kept them."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.atif import read_atif
from terminal_lego.formats.loading import dig, load_json, load_text, text_or
from terminal_lego.formats.trial_result import (
    exception_type,
    one_reward,
    recorded_rewards,
    rewards,
    task_name,
    timed,
    trial_extra,
)
from terminal_lego.trajectory import Trajectory

_EXCEPTION_NAME = re.compile(r"^(?:\w+\.)*(\w+)(?::|$)", re.MULTILINE)


def is_trial(folder: Path) -> bool:
    if (folder / "agent" / "trajectory.json").is_file() or (folder / "trial.log").is_file():
        return True
    return (folder / "agent").is_dir() and (folder / "config.json").is_file()


def read_trial(folder: Path, id: str) -> list[Trajectory]:
    """The trial's conversation; several when its history was cut and continued in further files.

    Raises:
        TrajectoryError: there is none, or one of its files cannot be understood.
    """
    result = _optional_json(folder / "result.json", folder)
    config = _optional_json(folder / "config.json", folder) or dig(result, "config")
    file = folder / "agent" / "trajectory.json"
    if not file.is_file():
        exception = _exception(folder, result)
        raise TrajectoryError("no agent/trajectory.json" + (f" (ended by {exception})" if exception else ""))

    def raw_reply(index: int) -> str | None:
        try:
            return load_text(folder / "agent" / f"episode-{index}" / "response.txt")
        except TrajectoryError:
            return None

    segments = read_atif(
        _json(file, folder), id=id, source=str(file), folder=file.parent, raw_reply=raw_reply
    )
    if len(segments) == 1:
        segments = [replace(segments[0], turns=timed(segments[0].turns, result))]
    found = recorded_rewards(result) if result is not None else rewards(_verifier_file(folder))
    extra = trial_extra(result, config, folder.name, found)
    return [
        replace(
            segment,
            id=id if index == 0 else f"{id}#{index}",
            source=str(file),
            task=task_name(result, config, folder.name.rpartition("__")[0] or folder.name),
            model=segment.model or text_or(dig(config, "agent", "model_name"), ""),
            reward=one_reward(found),
            exception=_exception(folder, result),
            extra=segment.extra | extra,
        )
        for index, segment in enumerate(segments)
    ]


def _optional_json(file: Path, folder: Path) -> Any:
    return _json(file, folder) if file.exists() else None


def _json(file: Path, folder: Path) -> Any:
    try:
        return load_json(file)
    except TrajectoryError as error:
        raise TrajectoryError(f"{file.relative_to(folder).as_posix()}: {error}") from None


def _verifier_file(folder: Path) -> Any:
    file = folder / "verifier" / "reward.json"
    if file.is_file():
        return _json(file, folder)
    try:
        value = float(load_text(file.with_suffix(".txt")))
    except (TrajectoryError, ValueError):
        return None
    return {"reward": value} if math.isfinite(value) else None


def _exception(folder: Path, result: Any) -> str | None:
    """From result.json; without it, the last exception named in the traceback of exception.txt."""
    if result is not None:
        return exception_type(result)
    try:
        names = _EXCEPTION_NAME.findall(load_text(folder / "exception.txt"))
    except TrajectoryError:
        return None
    return names[-1] if names else None
