"""Evaluate one student on tasks: run the trials, score them in both forms, keep the record."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.jobs import lost_trials, score_job
from eval.manifest import manifest_of, open_manifest
from eval.progress import Progress
from eval.result import EvaluationResult, Score, TrialRecord, summarize
from eval.shards import planned_names
from terminal_lego.harness.agents import Agent
from terminal_lego.harness.job import run_job
from terminal_lego.harness.record import TrialSettings, read_result
from terminal_lego.json_files import write_json
from terminal_lego.task import Task

__all__ = ["EvaluationResult", "Score", "TrialRecord", "evaluate", "summarize", "write_result"]

RESULT_FILE = "evaluation.json"


def evaluate(
    name: str,
    tasks: Sequence[Task],
    make_agent: Callable[[], Agent],
    job_dir: str | Path,
    *,
    attempts: int = 1,
    concurrency: int = 4,
    settings: TrialSettings | None = None,
    groups: Callable[[str], str] | None = None,
    conditions: Mapping[str, Any] | None = None,
    shard: str | None = None,
    retries: int = 0,
    retry_on: Collection[str] = (),
) -> EvaluationResult:
    """Run `attempts` trials of each task and score them; finished trials in `job_dir` are kept.

    Args:
        name: the student, as it shall appear in tables.
        make_agent: called once per trial, and to describe the job.
        groups: task name -> group name, for the per-group scores.
        conditions: what decides the figures besides the agent's own config, for the manifest.
        shard: "i/n" runs and scores only that part of the trials.
        retries: how often trials lost to one of the errors in `retry_on` run again, after all others.

    Returns:
        The result, also written to `evaluation.json` in `job_dir`.

    Raises:
        TaskError, ConfigError, EngineUnavailableError: as `terminal_lego.harness.job.run_job` does.
    """
    job_dir, settings = Path(job_dir), settings or TrialSettings()
    manifest = manifest_of(
        name, tasks, make_agent(), attempts, settings, conditions=conditions, groups=groups, shard=shard
    )
    open_manifest(job_dir, manifest)
    plan = planned_names(manifest["tasks"], attempts, shard)
    lost = lost_trials(job_dir, manifest)
    kept = [result for each in plan if each not in lost and (result := read_result(job_dir / each))]
    with Progress(name, len(plan), kept) as progress:
        only = None if shard is None else set(plan)
        for chance in range(retries + 1):
            part = {} if only is None else {"only": only}
            run_job(
                tasks,
                make_agent,
                job_dir,
                attempts=attempts,
                concurrency=concurrency,
                settings=settings,
                on_trial=progress.add,
                **part,
            )
            lost = lost_trials(job_dir, manifest)
            only = {trial for trial, result in lost.items() if result and result.exception_type in retry_on}
            if not only or chance == retries:
                break
    return write_result(score_job(job_dir, manifest))


def write_result(result: EvaluationResult) -> EvaluationResult:
    """Write `evaluation.json` into the job's folder."""
    write_json(Path(result.job_dir) / RESULT_FILE, result.to_dict())
    return result
