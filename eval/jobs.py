"""A finished, or unfinished, evaluation on disk."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from eval.manifest import read_manifest
from eval.result import EvaluationResult, summarize
from eval.shards import planned_names
from terminal_lego.harness.record import TrialResult, read_result


def load_result(job_dir: str | Path) -> EvaluationResult:
    """Score what a job's folder holds; trials that are not there, or not whole, count as missing.

    Raises:
        ConfigError: the folder holds no evaluation.
    """
    job_dir = Path(job_dir)
    return score_job(job_dir, read_manifest(job_dir))


def score_job(job_dir: Path, manifest: dict[str, Any]) -> EvaluationResult:
    """Score the trials that a manifest plans."""
    plan = planned_names(manifest["tasks"], manifest["conditions"]["attempts"], manifest["shard"])
    trials = [result for name in plan if (result := read_result(job_dir / name))]
    return summarize(
        manifest["name"],
        list(dict.fromkeys(plan.values())),
        trials,
        job_dir,
        Counter(plan.values()),
        manifest["groups"].__getitem__ if manifest["groups"] else None,
        {**manifest["conditions"], "tasks": tasks_digest(manifest["tasks"])},
    )


def tasks_digest(tasks: dict[str, str]) -> str:
    """One value for a whole set of tasks."""
    return hashlib.sha256(json.dumps(tasks, sort_keys=True).encode()).hexdigest()


def lost_trials(job_dir: Path, manifest: dict[str, Any]) -> dict[str, TrialResult | None]:
    """The planned trials that a rerun would run: name -> None for a missing one, else what was lost."""
    plan = planned_names(manifest["tasks"], manifest["conditions"]["attempts"], manifest["shard"])
    found = {name: read_result(job_dir / name) for name in plan}
    return {
        name: result for name, result in found.items() if result is None or result.is_infrastructure_error
    }
