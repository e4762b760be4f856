"""Jobs on disk as a run leaves them, without running anything."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from eval.shards import planned_names
from terminal_lego.formats import write_atif
from terminal_lego.trajectory import Trajectory, Turn

Outcome = float | str | None
VALID = json.dumps({"analysis": "a", "plan": "p", "commands": []})


def checksums(tasks: Sequence[str]) -> dict[str, str]:
    return {task: f"checksum of {task}" for task in tasks}


def named_tasks(*names: str) -> list[Any]:
    """What stands for a task wherever only its name and content matter."""
    return [SimpleNamespace(name=name, checksum=checksum) for name, checksum in checksums(names).items()]


def write_trial(
    folder: Path,
    task: str,
    outcome: Outcome,
    *,
    stdout: str | None = None,
    replies: Sequence[str] = (),
    turns: int | None = 3,
) -> Path:
    """One trial's folder: a reward, or the name of the exception that ended it, or both ("1.0 Name")."""
    reward, error = outcome, None
    if isinstance(outcome, str):
        number, _, error = outcome.rpartition(" ")
        reward = float(number) if number else None
    (folder / "verifier").mkdir(parents=True)
    data = {
        "task_name": task,
        "trial_name": folder.name,
        "task_checksum": checksums([task])[task],
        "source": None,
        "agent_info": {
            "name": "terminus-2",
            "version": "2.0.0",
            "model_info": {"name": "m", "provider": None},
        },
        "agent_result": {"metadata": {"n_episodes": turns}},
        "verifier_result": None if reward is None else {"rewards": {"reward": reward}},
        "exception_info": error and {"exception_type": error},
        "started_at": "2026-01-01T00:00:00+00:00",
        "finished_at": "2026-01-01T00:01:00+00:00",
    }
    (folder / "result.json").write_text(json.dumps(data))
    if stdout is not None:
        (folder / "verifier" / "test-stdout.txt").write_text(stdout)
    if replies:
        (folder / "agent").mkdir()
        trajectory = Trajectory(
            folder.name, task, "m", "Do it.", tuple(Turn(text, "screen") for text in replies)
        )
        write_atif(trajectory, folder / "agent" / "trajectory.json")
    return folder


def manifest(tasks: Sequence[str], attempts: int = 1, **more: Any) -> dict[str, Any]:
    conditions = {
        "agent": "terminus-2",
        "attempts": attempts,
        "temperature": 0.0,
        **more.pop("conditions", {}),
    }
    return {
        "name": "student",
        "model": "m",
        "weights": None,
        "shard": None,
        "conditions": conditions,
        "tasks": checksums(tasks),
        "groups": {},
        "made_with": {},
        **more,
    }


def write_job(
    job: Path, outcomes: Mapping[str, Sequence[Outcome]], *, shard: str | None = None, **more: Any
) -> Path:
    """A job of the given outcomes per task; "missing" leaves a trial out, and so does another shard."""
    attempts = len(next(iter(outcomes.values())))
    job.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest(list(outcomes), attempts, shard=shard, **more))
    (job / "manifest.json").write_text(text)
    (job / "config.json").write_text('{"n_attempts": 1}')
    part = planned_names(checksums(list(outcomes)), attempts, shard)
    for index, (name, task) in enumerate(planned_names(checksums(list(outcomes)), attempts).items()):
        outcome = outcomes[task][index // len(outcomes)]
        if name in part and outcome != "missing":
            write_trial(job / name, task, outcome)
    return job
