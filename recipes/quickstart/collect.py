"""Regenerates the recipe's trajectories: both teachers, every training task, real containers.

One row per trial that passed on a task both teachers passed, so the two sets are matched task by task.
"""

import shutil
from pathlib import Path

from recipes.quickstart.teachers import TEACHERS
from recipes.quickstart.world import write_tasks
from terminal_lego.formats import read_trajectories, write_parquet
from terminal_lego.harness.agents.terminus2 import Terminus2
from terminal_lego.harness.clients.scripted import ScriptedClient
from terminal_lego.harness.job import run_job
from terminal_lego.trajectory import Trajectory


def collect(out: Path, work: Path, count: int | None = None, concurrency: int = 8, seed: int = 0) -> int:
    """Writes `<teacher>.parquet` into `out` for both teachers and returns how many tasks each covers.

    `work` keeps tasks and trials; a second start continues there.
    """
    from eval.progress import Progress

    shutil.rmtree(work / "tasks", ignore_errors=True)
    tasks = write_tasks("train", work / "tasks", count, seed)
    classes = {task.name: task.config.metadata["class"] for task in tasks}
    passed: dict[str, dict[str, Trajectory]] = {}
    for name, policy in TEACHERS.items():
        job = work / name
        with Progress(name, len(tasks)) as progress:
            run_job(
                tasks,
                lambda name=name, policy=policy: Terminus2(ScriptedClient(policy, model=name)),
                job,
                concurrency=concurrency,
                on_trial=progress.add,
            )
        found = read_trajectories(job).trajectories
        passed[name] = {trajectory.task: trajectory for trajectory in found if trajectory.reward == 1}
    matched = sorted(set.intersection(*(set(of_teacher) for of_teacher in passed.values())))
    for name in TEACHERS:
        rows = [_row(passed[name][task], classes[task]) for task in matched]
        write_parquet(rows, out / f"{name}.parquet")
    return len(matched)


def _row(trajectory: Trajectory, klass: str) -> Trajectory:
    """A trial as it ships: named by teacher and task, without the paths of the machine it ran on."""
    return Trajectory(
        id=f"{trajectory.model}/{trajectory.task}",
        task=trajectory.task,
        model=trajectory.model,
        prompt=trajectory.prompt,
        turns=trajectory.turns,
        reward=trajectory.reward,
        agent=trajectory.agent,
        agent_version=trajectory.agent_version,
        extra={"class": klass},
    )
