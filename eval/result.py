"""From finished trials to a score, in both forms: with infrastructure errors as zeros, and without them."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from eval.leaderboard import Leaderboard, leaderboard
from eval.statistics import pass_at_k, score
from eval.turns import Turns, count_turns
from terminal_lego.harness.record import TrialResult
from terminal_lego.harness.verifier_output import verifier_trouble
from terminal_lego.json_files import finite

NOT_RUN = "not run"
TIMED_OUT = "AgentTimeoutError"
BOOTSTRAP_ERROR = "VerifierBootstrapError"


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial in a few values; `path` holds the rest. A trial that never ran has an empty name and path.

    Attributes:
        reward: None when the trial is missing or was lost to the infrastructure.
        exception: as the trial recorded it.
        trouble: what its verifier could not download before any test ran; such a trial is lost as well.
    """

    task: str
    group: str
    trial: str
    reward: float | None
    exception: str | None
    infrastructure_error: bool
    turns: int | None
    path: str
    trouble: str | None = None

    @property
    def error(self) -> str | None:
        """The class the trial is counted under, None for one that ended well."""
        if not self.trial:
            return NOT_RUN
        return self.exception or (BOOTSTRAP_ERROR if self.trouble else None)


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

    `pass_at_k` maps k >= 2 to the strict estimate, for 0/1 rewards and up to the attempts made; the other
    form leaves infrastructure errors out, and reaches as far as every task that is left has trials.
    `errors` counts trials by class, `timed_out` is the share whose agent ran out of time, of those that ran.
    `conditions` are what two results must share to be compared.
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
    pass_at_k_without_infrastructure_errors: dict[int, float]
    leaderboard: Leaderboard
    errors: dict[str, int]
    timed_out: float
    turns: Turns
    per_group: dict[str, Score]
    mean_turns: float
    conditions: dict[str, Any]
    job_dir: str
    records: list[TrialRecord]

    def rewards_by_task(self) -> dict[str, list[float]]:
        """Strict rewards of each task, for a paired comparison."""
        return {task: [r or 0.0 for r in rewards] for task, rewards in _rewards(self.records).items()}

    def valid_rewards_by_task(self) -> dict[str, list[float]]:
        """Without infrastructure errors; a task that had nothing else has an empty list."""
        return {
            task: [r for r in rewards if r is not None] for task, rewards in _rewards(self.records).items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an undefined number is None."""
        return finite(asdict(self))


def summarize(
    name: str,
    tasks: Sequence[str],
    trials: Sequence[TrialResult],
    job_dir: str | Path,
    attempts: int | Mapping[str, int] = 1,
    groups: Callable[[str], str] | None = None,
    conditions: dict[str, Any] | None = None,
) -> EvaluationResult:
    """Score finished trials. A task with fewer than `attempts` of them is filled up with missing ones."""
    group_of = groups or (lambda task: "")
    by_task: dict[str, list[TrialResult]] = {task: [] for task in tasks}
    for trial in trials:
        if trial.task_name in by_task:
            by_task[trial.task_name].append(trial)
    records = []
    for task, done in by_task.items():
        planned = attempts if isinstance(attempts, int) else attempts[task]
        missing = TrialRecord(task, group_of(task), "", None, None, True, None, "")
        records += [_record(trial, group_of(task)) for trial in done] + [missing] * (planned - len(done))
    turns = [record.turns for record in records if record.turns is not None]
    by_group = {
        group: [r for r in records if r.group == group] for group in sorted({r.group for r in records})
    }
    rewards = _rewards(records)
    return EvaluationResult(
        **_score(records),
        name=name,
        pass_at_k=_pass_at_k([[r or 0.0 for r in of_task] for of_task in rewards.values()]),
        pass_at_k_without_infrastructure_errors=_pass_at_k(
            [valid for of_task in rewards.values() if (valid := [r for r in of_task if r is not None])]
        ),
        # A zero of a verifier that could not be set up is a zero there.
        leaderboard=leaderboard((r.task, r.reward, r.exception if r.trial else NOT_RUN) for r in records),
        errors=dict(Counter(error for record in records if (error := record.error)).most_common()),
        timed_out=_share([record.exception == TIMED_OUT for record in records if record.trial]),
        turns=count_turns(Path(record.path) for record in records if record.path),
        per_group={group: _score(members) for group, members in by_group.items()} if groups else {},
        mean_turns=math.fsum(turns) / len(turns) if turns else math.nan,
        conditions=conditions or {},
        job_dir=str(job_dir),
        records=records,
    )


def _record(trial: TrialResult, group: str) -> TrialRecord:
    # An agent that broke down before verification has no reward and no excuse: it failed the task.
    reward = trial.reward or 0.0
    trouble = _verifier_trouble(trial.path) if reward <= 0 else None
    is_lost = trial.is_infrastructure_error or trouble is not None
    return TrialRecord(
        task=trial.task_name,
        group=group,
        trial=trial.trial_name,
        reward=None if is_lost else reward,
        exception=trial.exception_type,
        infrastructure_error=is_lost,
        turns=trial.turns,
        path=str(trial.path),
        trouble=trouble,
    )


def _verifier_trouble(trial: Path) -> str | None:
    try:
        return verifier_trouble((trial / "verifier" / "test-stdout.txt").read_text(errors="replace"))
    except OSError:
        return None


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


def _pass_at_k(rewards: Sequence[Sequence[float]]) -> dict[int, float]:
    """For k in 2, 4, 8 … and 5, 10, 15 … up to the fewest trials of a task; only of rewards 0 and 1."""
    if not {reward for of_task in rewards for reward in of_task} <= {0.0, 1.0}:
        return {}
    trials = [len(of_task) for of_task in rewards]
    solved = [sum(map(_is_solved, of_task)) for of_task in rewards]
    most = min(trials, default=0)
    ladder = {2**i for i in range(1, most.bit_length())} | set(range(5, most + 1, 5))
    return {k: pass_at_k(solved, trials, k) for k in sorted(ladder)}


def _rewards(records: Sequence[TrialRecord]) -> dict[str, list[float | None]]:
    rewards: dict[str, list[float | None]] = {}
    for record in records:
        rewards.setdefault(record.task, []).append(record.reward)
    return rewards


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else math.nan


def _is_solved(reward: float | None) -> bool:
    return reward is not None and reward >= 1
