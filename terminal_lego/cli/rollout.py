"""`terminal-lego rollout teacher=NAME tasks=FOLDER …`: collect a teacher's trajectories."""

import argparse
import threading
import time
from typing import TYPE_CHECKING

from terminal_lego.cli.settings import settings

if TYPE_CHECKING:
    from terminal_lego.harness.job import JobResult
    from terminal_lego.harness.record import TrialResult
    from terminal_lego.harness.rollout import Rollout

PLAIN_SECONDS = 10.0


def add(rooms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = rooms.add_parser(
        "rollout",
        help="collect a teacher's trajectories: teacher=<model> tasks=<folder> base_url=<url>",
        description="Runs a teacher behind any OpenAI-compatible server on tasks; the same command again "
        "runs what is missing. What each key means: terminal_lego/harness/rollout_config.py",
    )
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="KEY=VALUE",
        help="teacher, tasks, base_url, api_key_env, add_on, attempts, concurrency, max_cost …",
    )
    parser.set_defaults(run=_run)


def _run(chosen: argparse.Namespace) -> int:
    from terminal_lego.harness.rollout import Rollout, RolloutConfig

    rollout = Rollout(settings(RolloutConfig, chosen.settings, "rollout"))
    try:
        with Progress(rollout) as progress:
            job = rollout.run(progress.add)
    except KeyboardInterrupt:
        print(f"stopped: the same command runs what is missing. {rollout.spending}")
        raise
    return _tell(rollout, job)


def _tell(rollout: "Rollout", job: "JobResult") -> int:
    lost = job.infrastructure_errors
    done = len(job.trials) - len(lost)
    passed = sum((trial.reward or 0) >= 1 for trial in job.trials)
    print(f"{done:,} of {job.n_planned:,} trials, {passed:,} passed. {rollout.spending}")
    if done < job.n_planned:
        if rollout.stopped:
            print(f"stopped: {rollout.stopped.rstrip('.')}.")
        print(
            f"{job.n_planned - done:,} are missing, {len(lost):,} of them lost; the same command runs them."
        )
    print(f"Train on them: python -m train data.path={job.path}")
    return 0 if done == job.n_planned else 1


class Progress:
    """A bar on a terminal, elsewhere a line now and then, as trials end."""

    def __init__(self, rollout: "Rollout") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        self._rollout = rollout
        self._console = Console(stderr=True)
        self._kept = rollout.kept
        self._ended = self._passed = self._lost = 0
        self._lock = threading.Lock()
        self._began = self._told = time.monotonic()
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        self._bar = Bar(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        )
        self._task = self._bar.add_task(self._line(), total=rollout.planned, completed=self._kept)

    def __enter__(self) -> "Progress":
        if self._kept:
            kept = f"{self._kept:,} of {self._rollout.planned:,} trials are kept"
            self._console.print(kept, highlight=False)
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def add(self, trial: "TrialResult") -> None:
        """A trial ended; from any thread."""
        with self._lock:
            self._ended += 1
            self._lost += trial.is_infrastructure_error
            self._passed += (trial.reward or 0) >= 1
            self._tell(self._kept + self._ended - self._lost)

    def _tell(self, done: int) -> None:
        line = self._line()
        self._bar.update(self._task, completed=done, description=line)
        if not self._console.is_terminal and time.monotonic() - self._told >= PLAIN_SECONDS:
            self._told = time.monotonic()
            text = f"{done:,} of {self._rollout.planned:,} trials, {line}"
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _line(self) -> str:
        minutes = (time.monotonic() - self._began) / 60
        rate = self._ended / minutes if minutes else 0.0
        return f"{self._passed:,} passed, {self._lost:,} lost, {rate:.1f}/min, {self._rollout.spending}"
