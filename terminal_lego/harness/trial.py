"""One attempt of one agent at one task: container, agent, verifier, record."""

import threading
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.errors import CancelledError, SandboxError
from terminal_lego.harness.agents import Agent
from terminal_lego.harness.attempt import Attempt
from terminal_lego.harness.engine import connect
from terminal_lego.harness.healthcheck import wait_until_healthy
from terminal_lego.harness.record import Section, TrialRecord, TrialResult, TrialSettings
from terminal_lego.harness.sandbox import DockerSandbox
from terminal_lego.harness.steps import run_steps
from terminal_lego.task import Task

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["TrialResult", "TrialSettings", "run_trial"]


def run_trial(
    task: Task,
    agent: Agent,
    trial_dir: Path,
    settings: TrialSettings | None = None,
    *,
    client: "DockerClient | None" = None,
    job: str = "",
    cancelled: threading.Event | None = None,
) -> TrialResult:
    """Run a trial and write its folder; what happens inside it is recorded, not raised.

    An error the agent is to blame for (its time, its context) is recorded and the state it left is
    verified; any other error ends the trial without a reward.

    Args:
        client: of `engine.connect`, which is asked for one otherwise.
        job: label of the container, by which a job finds its leftovers.
        cancelled: once set, the trial ends as CancelledError at its next step.

    Raises:
        EngineUnavailableError: no client was given and there is no engine.
    """
    trial = _Trial(task, agent, trial_dir, settings or TrialSettings(), cancelled or threading.Event())
    with nullcontext(client) if client else closing(connect()) as engine:
        return trial.run(engine, job)


class _Trial:
    def __init__(
        self, task: Task, agent: Agent, trial_dir: Path, settings: TrialSettings, cancelled: threading.Event
    ):
        self._task, self._agent, self._path = task, agent, trial_dir
        self._settings, self._cancelled = settings, cancelled
        self._record = TrialRecord(task, agent, trial_dir, settings)

    def run(self, client: "DockerClient", job: str) -> TrialResult:
        make_sandbox = partial(
            DockerSandbox, client, name=self._path.name, job=job, hostname=self._settings.hostname
        )
        try:
            sandbox = make_sandbox(self._task)
        except Exception as error:
            self._record.fail(error)
            return self._record.finish()

        def attempt(task: Task, record: Section, last: bool = True) -> Attempt:
            return Attempt(
                task, self._agent, self._path, self._settings, record, self._cancelled, make_sandbox, last
            )

        try:
            self._start(sandbox)
            if self._task.steps:
                run_steps(self._task, sandbox, self._record, attempt)
            else:
                attempt(self._task, self._record).run(sandbox)
        except Exception as error:
            self._record.fail(CancelledError("The job was stopped.") if self._cancelled.is_set() else error)
        finally:
            self._stop(sandbox)
        return self._record.finish()

    def _start(self, sandbox: DockerSandbox) -> None:
        if self._cancelled.is_set():
            raise CancelledError("The job was stopped.")
        with self._record.phase("environment_setup"):
            sandbox.start()
            self._record.log(f"container {sandbox.id[:12]}")
            if check := self._task.config.environment.healthcheck:
                wait_until_healthy(sandbox, check)

    def _stop(self, sandbox: DockerSandbox) -> None:
        if self._settings.keep_containers:
            self._record.log("the container is kept")
            return
        try:
            sandbox.stop()
        except SandboxError as error:
            self._record.log(str(error))
            if not self._record.failed:
                self._record.fail(error)
