"""Checks tasks in Docker: the oracle must score 1, the untouched environment 0."""

from collections.abc import Sequence
from pathlib import Path

from terminal_lego.harness.agents.nop import Nop
from terminal_lego.harness.agents.oracle import Oracle
from terminal_lego.harness.job import run_job
from terminal_lego.task import Task

EXPECTED = {"oracle": (Oracle, 1.0), "nop": (Nop, 0.0)}


def verify(tasks: Sequence[Task], work: Path, concurrency: int = 4) -> list[str]:
    """One sentence for every task that is not as it must be; `work` keeps the trials."""
    from eval.progress import Progress

    faults = []
    for name, (agent, expected) in EXPECTED.items():
        with Progress(name, len(tasks)) as progress:
            job = run_job(tasks, agent, work / name, concurrency=concurrency, on_trial=progress.add)
        faults += [
            f"{trial.task_name}: {name} scored {trial.reward}, not {expected} ({trial.path})"
            for trial in job.trials
            if trial.reward != expected
        ]
    return faults
