"""A Harbor trial directory: agent/trajectory.json, result.json, and the raw replies if it kept them."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.atif import read_atif
from terminal_lego.formats.loading import dig, load_json, load_text, number, text_or
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
    extra = {
        "trial": text_or(dig(result, "trial_name"), folder.name),
        "dataset": dig(result, "source") or dig(config, "task", "source"),
        "task_checksum": dig(result, "task_checksum"),
    }
    rewards = _rewards(folder, result)
    if len(rewards) > 1:
        extra["rewards"] = rewards
    return [
        replace(
            segment,
            id=id if index == 0 else f"{id}#{index}",
            source=str(file),
            task=_task(folder, result, config),
            model=segment.model or text_or(dig(config, "agent", "model_name"), ""),
            reward=rewards.get("reward") if len(rewards) != 1 else next(iter(rewards.values())),
            exception=_exception(folder, result),
            extra=segment.extra | {key: value for key, value in extra.items() if value is not None},
        )
        for index, segment in enumerate(_timed(segments, result))
    ]


def _optional_json(file: Path, folder: Path) -> Any:
    return _json(file, folder) if file.exists() else None


def _json(file: Path, folder: Path) -> Any:
    try:
        return load_json(file)
    except TrajectoryError as error:
        raise TrajectoryError(f"{file.relative_to(folder).as_posix()}: {error}") from None


def _task(folder: Path, result: Any, config: Any) -> str:
    path = text_or(dig(config, "task", "path"), "").rstrip("/")
    return text_or(
        dig(result, "task_name"), path.rpartition("/")[2] or folder.name.rpartition("__")[0] or folder.name
    )


def _rewards(folder: Path, result: Any) -> dict[str, float]:
    """From result.json; from the verifier's own file when the trial ended before writing it."""
    given = dig(result, "verifier_result", "rewards")
    if result is None:
        given = _verifier_file(folder)
    if not isinstance(given, dict):
        given = {"reward": dig(result, "verifier_result", "reward")}
    return {name: value for name, given_value in given.items() if (value := number(given_value)) is not None}


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
        return text_or(dig(result, "exception_info", "exception_type"), "") or None
    try:
        names = _EXCEPTION_NAME.findall(load_text(folder / "exception.txt"))
    except TrajectoryError:
        return None
    return names[-1] if names else None


def _timed(segments: list[Trajectory], result: Any) -> list[Trajectory]:
    times = dig(result, "agent_result", "metadata", "api_request_times_msec")
    turns = segments[0].turns
    if len(segments) > 1 or not isinstance(times, list) or len(times) != len(turns):
        return segments
    known = [number(time) for time in times]
    timed = tuple(
        turn if time is None else replace(turn, seconds=time / 1000)
        for turn, time in zip(turns, known, strict=True)
    )
    return [replace(segments[0], turns=timed)]
