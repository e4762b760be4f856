"""A Harbor trial's result.json as parsed JSON: task, outcome and times."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from terminal_lego.formats.loading import dig, number, text_or
from terminal_lego.trajectory import Turn


def task_name(result: Any, config: Any, default: str) -> str:
    path = text_or(dig(config, "task", "path"), "").rstrip("/")
    return text_or(dig(result, "task_name"), path.rpartition("/")[2] or default)


def rewards(given: Any) -> dict[str, float]:
    """The finite numbers among the verifier's rewards."""
    found = given.items() if isinstance(given, dict) else ()
    return {name: value for name, given_value in found if (value := number(given_value)) is not None}


def recorded_rewards(result: Any) -> dict[str, float]:
    given = dig(result, "verifier_result", "rewards")
    return rewards(given if isinstance(given, dict) else {"reward": dig(result, "verifier_result", "reward")})


def one_reward(found: dict[str, float]) -> float | None:
    """The one called reward, or the only one."""
    return found.get("reward") if len(found) != 1 else next(iter(found.values()))


def exception_type(result: Any) -> str | None:
    return text_or(dig(result, "exception_info", "exception_type"), "") or None


def trial_extra(result: Any, config: Any, trial: str, found: dict[str, float]) -> dict[str, Any]:
    extra = {
        "trial": text_or(dig(result, "trial_name"), trial) or None,
        "dataset": dig(result, "source") or dig(config, "task", "source"),
        "task_checksum": dig(result, "task_checksum"),
        "rewards": found if len(found) > 1 else None,
    }
    return {name: value for name, value in extra.items() if value is not None}


def timed(turns: Sequence[Turn], result: Any) -> tuple[Turn, ...]:
    """The turns with the seconds their requests took, when as many were recorded as there are turns."""
    times = dig(result, "agent_result", "metadata", "api_request_times_msec")
    if not isinstance(times, list) or len(times) != len(turns):
        return tuple(turns)
    known = [number(time) for time in times]
    return tuple(
        turn if time is None else replace(turn, seconds=time / 1000)
        for turn, time in zip(turns, known, strict=True)
    )
