"""What a job leaves on disk beside its trials: config.json, which a rerun must match, and result.json."""

import fcntl
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from terminal_lego.errors import ConfigError
from terminal_lego.harness.agents import Agent
from terminal_lego.harness.record import TrialResult, TrialSettings, agent_info
from terminal_lego.json_files import write_json
from terminal_lego.task import Task


def job_config(tasks: Sequence[Task], agent: Agent, attempts: int, settings: TrialSettings) -> dict[str, Any]:
    """Everything that decides what the trials measure, and nothing else."""
    return {
        "n_attempts": attempts,
        "timeout_multiplier": settings.timeout_multiplier,
        "hostname": settings.hostname,
        "agent": {**agent_info(agent), "config": getattr(agent, "config", {})},
        "tasks": {task.name: task.checksum for task in tasks},
    }


def open_job(job_dir: Path, config: dict[str, Any]) -> None:
    """Write the job's config, or check it against the one that is there. Raises ConfigError."""
    file = job_dir / "config.json"
    if not file.exists():
        write_json(file, config)
        return
    try:
        differing = sorted(_differences(json.loads(file.read_bytes()), json.loads(json.dumps(config))))
    except (ValueError, AttributeError):
        raise ConfigError(f"{file} is damaged; remove {job_dir} or choose another job directory.") from None
    if differing:
        raise ConfigError(
            f"{job_dir} holds a job with another {', '.join(differing)}; "
            "run with the same settings to resume it, or choose another job directory."
        )


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key in old.keys() | new.keys():
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            yield f"{prefix}{key}"


@contextmanager
def exclusive(job_dir: Path) -> Iterator[None]:
    """One process per job directory; ConfigError for the second."""
    job_dir.mkdir(parents=True, exist_ok=True)
    with (job_dir / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{job_dir} is in use by another process; wait, or choose another.") from None
        yield


def write_job_result(
    job_dir: Path, job_id: str, started_at: str, updated_at: str, planned: int, trials: Sequence[TrialResult]
) -> None:
    """Harbor's job result.json, as far as the trials are done."""
    data = {
        "id": job_id,
        "started_at": started_at,
        "updated_at": updated_at,
        "finished_at": updated_at if len(trials) == planned else None,
        "n_total_trials": planned,
        "stats": _stats(planned, trials),
    }
    write_json(job_dir / "result.json", data)


def _stats(planned: int, trials: Sequence[TrialResult]) -> dict[str, Any]:
    groups: defaultdict[str, list[TrialResult]] = defaultdict(list)
    for trial in trials:
        agent = trial.data["agent_info"]
        model = (agent["model_info"] or {}).get("name")
        groups["__".join(filter(None, (agent["name"], model, trial.data["source"] or "adhoc")))].append(trial)
    exceptions = Counter(trial.exception_type for trial in trials)
    return {
        "n_completed_trials": len(trials),
        "n_errored_trials": len(trials) - exceptions[None],
        "n_pending_trials": planned - len(trials),
        "n_cancelled_trials": exceptions["CancelledError"],
        "n_infrastructure_errors": sum(trial.is_infrastructure_error for trial in trials),
        "evals": {name: _eval(group) for name, group in groups.items()},
    }


def _eval(trials: list[TrialResult]) -> dict[str, Any]:
    """The mean counts a missing reward as 0, as Harbor does."""
    rewards: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    exceptions: defaultdict[str, list[str]] = defaultdict(list)
    for trial in trials:
        for key, value in trial.rewards.items():
            rewards[key][str(value)].append(trial.trial_name)
        if trial.exception_type:
            exceptions[trial.exception_type].append(trial.trial_name)
    return {
        "n_trials": sum(bool(trial.rewards) for trial in trials),
        "n_errors": sum(map(len, exceptions.values())),
        "metrics": [{"mean": sum(trial.reward or 0 for trial in trials) / len(trials)}],
        "reward_stats": rewards,
        "exception_stats": exceptions,
    }
