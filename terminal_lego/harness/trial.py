"""One attempt of one agent at one task: container, agent, verifier, record."""

import json
import threading
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.errors import CancelledError, InfrastructureError, SandboxError, TrialError
from terminal_lego.harness.agents import Agent, AgentResult
from terminal_lego.harness.collect import collect_artifacts
from terminal_lego.harness.deadline import Deadline
from terminal_lego.harness.engine import connect
from terminal_lego.harness.healthcheck import wait_until_healthy
from terminal_lego.harness.record import TrialRecord, TrialResult, TrialSettings
from terminal_lego.harness.sandbox import DockerSandbox
from terminal_lego.harness.verifier import verify
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
        try:
            sandbox = DockerSandbox(
                client, self._task, self._path.name, job=job, hostname=self._settings.hostname
            )
        except Exception as error:
            self._record.fail(error)
            return self._record.finish()
        try:
            self._run_phases(sandbox)
        except Exception as error:
            self._record.fail(CancelledError("The job was stopped.") if self._cancelled.is_set() else error)
        finally:
            self._stop(sandbox)
        return self._record.finish()

    def _run_phases(self, sandbox: DockerSandbox) -> None:
        with self._phase("environment_setup"):
            sandbox.start()
            self._record.log(f"container {sandbox.id[:12]}")
            if check := self._task.config.environment.healthcheck:
                wait_until_healthy(sandbox, check)
        try:
            with self._phase("agent_execution"):
                self._run_agent(sandbox)
        except TrialError as error:
            if isinstance(error, InfrastructureError):
                self._salvage(sandbox)
                raise
            self._record.fail(error)
        except Exception:
            self._salvage(sandbox)
            raise
        collect_artifacts(sandbox, self._task, self._path, self._record.log)
        with self._phase("verifier"):
            rewards = verify(sandbox, self._task, self._path, multiplier=self._settings.timeout_multiplier)
        self._record.rewards(rewards)
        self._record.log(f"rewards {rewards}")

    def _phase(self, name: str):
        if self._cancelled.is_set():
            raise CancelledError("The job was stopped.")
        return self._record.phase(name)

    def _run_agent(self, sandbox: DockerSandbox) -> None:
        seconds = self._task.config.agent.timeout_sec
        deadline = Deadline(None if seconds is None else seconds * self._settings.timeout_multiplier)
        result = None
        try:
            result = self._agent.run(self._task, sandbox, self._path, deadline)
        finally:
            self._record.agent_result(result or _usage_from_log(self._path))

    def _salvage(self, sandbox: DockerSandbox) -> None:
        """What the container's logs hold is all there is to explain a failure."""
        try:
            sandbox.download_logs(self._path)
        except SandboxError as error:
            self._record.log(f"the container's logs are lost: {error}")

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


def _usage_from_log(trial_dir: Path) -> AgentResult:
    """An agent that raised returned nothing; its trajectory still tells what it used."""
    try:
        trajectory = json.loads((trial_dir / "agent" / "trajectory.json").read_bytes())
        metrics = trajectory.get("final_metrics") or {}
        return AgentResult(
            turns=sum(step["source"] == "agent" for step in trajectory["steps"]),
            prompt_tokens=metrics.get("total_prompt_tokens"),
            completion_tokens=metrics.get("total_completion_tokens"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return AgentResult()
