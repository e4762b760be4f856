"""Evaluate one student on tasks: run the trials, score them in both forms, keep the record."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from eval.progress import Progress
from eval.statistics import pass_at_k, score
from terminal_lego.harness.agents import Agent
from terminal_lego.harness.job import run_job, trial_name
from terminal_lego.harness.record import TrialResult, TrialSettings, read_result
from terminal_lego.json_files import finite
from terminal_lego.task import Task

RESULT_FILE = "evaluation.json"


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial in a few values; `path` holds the rest. A trial that never ran has an empty name and path."""

    task: str
    group: str
    trial: str
    reward: float | None
    exception: str | None
    infrastructure_error: bool
    turns: int | None
    path: str


class Score(TypedDict):
    """What a set of trials came to.

    `solved` counts tasks with at least one full reward, out of `tasks`. pass@1 is the mean over tasks of
    the mean reward; the plain form counts a missing trial and an infrastructure error as 0, the other
    leaves them out.
    """

    solved: int
    tasks: int
    trials: int
    pass_at_1: float
    interval: list[float]
    interval_method: str
    pass_at_1_without_infrastructure_errors: float
    interval_without_infrastructure_errors: list[float]
    infrastructure_errors: int


@dataclass(frozen=True)
class EvaluationResult:
    """A student's score, whole and per group; the first nine fields are those of `Score`.

    `pass_at_k` maps k >= 2 to the strict estimate, for 0/1 rewards and up to the attempts made.
    `conditions` are what two results must share to be compared: tasks, attempts, agent, time.
    """

    solved: int
    tasks: int
    trials: int
    pass_at_1: float
    interval: list[float]
    interval_method: str
    pass_at_1_without_infrastructure_errors: float
    interval_without_infrastructure_errors: list[float]
    infrastructure_errors: int
    name: str
    pass_at_k: dict[int, float]
    per_group: dict[str, Score]
    mean_turns: float
    conditions: dict[str, Any]
    job_dir: str
    records: list[TrialRecord]

    def rewards_by_task(self) -> dict[str, list[float]]:
        """Strict rewards of each task, for a paired comparison."""
        return {task: [r or 0.0 for r in rewards] for task, rewards in _rewards(self.records).items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an undefined number is None."""
        return finite(asdict(self))


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
) -> EvaluationResult:
    """Run `attempts` trials of each task and score them; finished trials in `job_dir` are kept.

    Args:
        name: the student, as it shall appear in tables.
        make_agent: called once per trial, and once to describe the job.
        groups: task name -> group name, for the per-group scores.

    Returns:
        The result, also written to `evaluation.json` in `job_dir`.

    Raises:
        TaskError, ConfigError, EngineUnavailableError: as `terminal_lego.harness.job.run_job` does.
    """
    job_dir = Path(job_dir)
    with Progress(name, len(tasks) * attempts, _kept(tasks, job_dir, attempts)) as progress:
        job = run_job(
            tasks,
            make_agent,
            job_dir,
            attempts=attempts,
            concurrency=concurrency,
            settings=settings,
            on_trial=progress.add,
        )
    names = [task.name for task in tasks]
    result = summarize(name, names, job.trials, job_dir, attempts, groups, _conditions(job_dir))
    (job_dir / RESULT_FILE).write_text(json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n")
    return result


def summarize(
    name: str,
    tasks: Sequence[str],
    trials: Sequence[TrialResult],
    job_dir: str | Path,
    attempts: int = 1,
    groups: Callable[[str], str] | None = None,
    conditions: dict[str, Any] | None = None,
) -> EvaluationResult:
    """Score finished trials. A task with fewer than `attempts` of them is filled up with missing ones."""
    group_of = groups or (lambda task: "")
    records = []
    for task in tasks:
        done = [_record(trial, group_of(task)) for trial in trials if trial.task_name == task]
        missing = TrialRecord(task, group_of(task), "", None, None, True, None, "")
        records += done + [missing] * (attempts - len(done))
    turns = [record.turns for record in records if record.turns is not None]
    by_group = {
        group: [r for r in records if r.group == group] for group in sorted({r.group for r in records})
    }
    return EvaluationResult(
        **_score(records),
        name=name,
        pass_at_k=_pass_at_k(records),
        per_group={group: _score(members) for group, members in by_group.items()} if groups else {},
        mean_turns=math.fsum(turns) / len(turns) if turns else math.nan,
        conditions=conditions or {},
        job_dir=str(job_dir),
        records=records,
    )


def _record(trial: TrialResult, group: str) -> TrialRecord:
    # An agent that broke down before verification has no reward and no excuse: it failed the task.
    reward = None if trial.is_infrastructure_error else trial.reward or 0.0
    return TrialRecord(
        task=trial.task_name,
        group=group,
        trial=trial.trial_name,
        reward=reward,
        exception=trial.exception_type,
        infrastructure_error=trial.is_infrastructure_error,
        turns=trial.turns,
        path=str(trial.path),
    )


def _score(records: Sequence[TrialRecord]) -> Score:
    rewards = _rewards(records)
    both = score(rewards)
    strict, valid = both.strict, both.without_infrastructure_errors
    return Score(
        solved=sum(any(_is_solved(r) for r in of_task) for of_task in rewards.values()),
        tasks=len(rewards),
        trials=len(records),
        pass_at_1=strict.value,
        interval=[strict.low, strict.high],
        interval_method=strict.method,
        pass_at_1_without_infrastructure_errors=valid.value,
        interval_without_infrastructure_errors=[valid.low, valid.high],
        infrastructure_errors=both.infrastructure_errors,
    )


def _pass_at_k(records: Sequence[TrialRecord]) -> dict[int, float]:
    rewards = _rewards(records)
    if not {reward or 0.0 for of_task in rewards.values() for reward in of_task} <= {0.0, 1.0}:
        return {}
    trials = [len(of_task) for of_task in rewards.values()]
    solved = [sum(map(_is_solved, of_task)) for of_task in rewards.values()]
    most = min(trials, default=0)
    ladder = {2**i for i in range(1, most.bit_length())} | set(range(5, most + 1, 5))
    return {k: pass_at_k(solved, trials, k) for k in sorted(ladder)}


def _rewards(records: Sequence[TrialRecord]) -> dict[str, list[float | None]]:
    rewards: dict[str, list[float | None]] = {}
    for record in records:
        rewards.setdefault(record.task, []).append(record.reward)
    return rewards


def _is_solved(reward: float | None) -> bool:
    return reward is not None and reward >= 1


def _kept(tasks: Sequence[Task], job_dir: Path, attempts: int) -> list[TrialResult]:
    """Trials that `run_job` will not run again."""
    folders = [job_dir / trial_name(task, attempt) for task in tasks for attempt in range(1, attempts + 1)]
    found = [result for folder in folders if (result := read_result(folder))]
    return [result for result in found if not result.is_infrastructure_error]


def _conditions(job_dir: Path) -> dict[str, Any]:
    """What the job was: all that decides its numbers, apart from the model."""
    config = json.loads((job_dir / "config.json").read_bytes())
    config["agent"].pop("model_info")
    config["tasks"] = hashlib.sha256(json.dumps(config["tasks"], sort_keys=True).encode()).hexdigest()
    return config
