"""Whether a task measures anything: its solution must score 1, and nobody's work 0."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.harness.agents.nop import Nop
from terminal_lego.harness.agents.oracle import Oracle
from terminal_lego.harness.job import run_job
from terminal_lego.harness.record import TrialResult
from terminal_lego.task import Task

if TYPE_CHECKING:
    from docker import DockerClient


@dataclass(frozen=True)
class Verdict:
    """Both trials of one task; None for one that did not finish."""

    task: str
    oracle: TrialResult | None
    nop: TrialResult | None

    @property
    def holds(self) -> bool:
        return bool(self.oracle and self.nop and self.oracle.reward == 1 and self.nop.reward == 0)


def round_trip(
    tasks: Sequence[Task],
    job_dir: Path,
    *,
    concurrency: int = 2,
    on_trial: Callable[[TrialResult], None] | None = None,
    client: "DockerClient | None" = None,
) -> list[Verdict]:
    """Two jobs, below `job_dir`: the oracle's and nobody's. Raises what `run_job` does."""
    found: dict[str, dict[str, TrialResult]] = {}
    for agent in (Oracle, Nop):
        job = run_job(
            tasks, agent, job_dir / agent.name, concurrency=concurrency, on_trial=on_trial, client=client
        )
        found[agent.name] = {trial.task_name: trial for trial in job.trials}
    return [Verdict(task.name, *(found[name].get(task.name) for name in ("oracle", "nop"))) for task in tasks]
