"""The agent's phase, what is collected after it, and the verifier's: of a task, or of one step of it."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from terminal_lego.errors import CancelledError, InfrastructureError, SandboxError, TrialError
from terminal_lego.harness.agents import Agent, AgentResult
from terminal_lego.harness.collect import collect_artifacts, place_artifacts
from terminal_lego.harness.deadline import Deadline
from terminal_lego.harness.disk import watching_disk
from terminal_lego.harness.memory import naming_memory
from terminal_lego.harness.network import agent_policy, verifier_policy
from terminal_lego.harness.record import Section, TrialSettings
from terminal_lego.harness.sandbox import DockerSandbox
from terminal_lego.harness.verifier import verify
from terminal_lego.task import Task


@dataclass(frozen=True)
class Attempt:
    """One agent at one instruction, in a started sandbox.

    Attributes:
        make_sandbox: a container for a task, of the same trial, not started.
        last: nobody needs the agent's container after this.
    """

    task: Task
    agent: Agent
    path: Path
    settings: TrialSettings
    record: Section
    cancelled: threading.Event
    make_sandbox: Callable[[Task], DockerSandbox]
    last: bool = True

    def run(self, sandbox: DockerSandbox) -> None:
        """An error the agent is to blame for is recorded and verified; any other is raised."""
        try:
            limit = self.task.config.environment.storage_mb
            with self._phase("agent_execution"), watching_disk(sandbox, limit), naming_memory(sandbox):
                sandbox.enter_network(agent_policy(self.task))
                self._run_agent(sandbox)
        except TrialError as error:
            if isinstance(error, InfrastructureError):
                self._salvage(sandbox)
                raise
            self.record.fail(error)
        except Exception:
            self._salvage(sandbox)
            raise
        collect_artifacts(sandbox, self.task, self.path, self.record.log)
        if self.task.config.verifier.environment_mode == "separate":
            self._verify_apart(sandbox)
        else:
            self._verify(sandbox, self.task)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        if self.cancelled.is_set():
            raise CancelledError("The job was stopped.")
        with self.record.phase(name):
            yield

    def _run_agent(self, sandbox: DockerSandbox) -> None:
        seconds = self.task.config.agent.timeout_sec
        deadline = Deadline(None if seconds is None else seconds * self.settings.timeout_multiplier)
        result = None
        try:
            result = self.agent.run(self.task, sandbox, self.path, deadline)
        finally:
            self.record.agent_result(result or _usage_from_log(self.path))

    def _verify(self, sandbox: DockerSandbox, task: Task) -> None:
        with self._phase("verifier"), naming_memory(sandbox):
            sandbox.enter_network(verifier_policy(task))
            rewards = verify(sandbox, task, self.path, multiplier=self.settings.timeout_multiplier)
        self.record.rewards(rewards)

    def _verify_apart(self, agents: DockerSandbox) -> None:
        """In a container that only the artifacts come to."""
        # Not its /logs/verifier: what lies there would count as the verdict.
        agents.download("/logs", self.path, only=("agent",))
        if self.last and not self.settings.keep_containers:
            agents.stop()
        task = grading_task(self.task)
        grader = self.make_sandbox(task)
        try:
            grader.start()
            place_artifacts(grader, self.task, self.path)
            self._verify(grader, task)
        finally:
            if not self.settings.keep_containers:
                grader.stop()

    def _salvage(self, sandbox: DockerSandbox) -> None:
        """What the container's logs hold is all there is to explain a failure."""
        try:
            sandbox.download_logs(self.path)
            collect_artifacts(sandbox, self.task, self.path, self.record.log)
        except SandboxError as error:
            self.record.log(f"the container's logs are lost: {error}")


def grading_task(task: Task) -> Task:
    """The task whose container is the separate verifier's.

    An image that `[verifier.environment]` names, or that tests/Dockerfile makes, brings the tests; otherwise
    the container is a fresh one of the task's own, with the resources the verifier asks for.
    """
    verifier = task.config.verifier
    environment = verifier.environment or task.config.environment
    bundled = bool(verifier.environment and verifier.environment.docker_image)
    if not bundled and (task.tests / "Dockerfile").is_file():
        environment, bundled = environment.model_copy(update={"docker_image": None}), True
    elif not bundled:
        image = task.config.environment.docker_image
        environment = environment.model_copy(update={"docker_image": image})
    config = task.config.model_copy(update={"environment": environment})
    return replace(task, config=config, context=task.tests if bundled else None)


def _usage_from_log(trial_dir: Path) -> AgentResult:
    """An agent that raised returned nothing; its trajectory still tells what it used."""
    try:
        files = sorted((trial_dir / "agent").glob("trajectory*.json"))
        documents = {file.name: json.loads(file.read_bytes()) for file in files}
        # After a summary the conversation goes on in another file, and the summary's calls have their own.
        own = [found for name, found in documents.items() if ".summarization-" not in name]
        steps = [step for document in own for step in document["steps"]]
        turns = sum(step["source"] == "agent" and not step.get("is_copied_context") for step in steps)
        metrics = [document.get("final_metrics") or {} for document in documents.values()]
        return AgentResult(
            turns=turns if documents else None,
            prompt_tokens=_total(metrics, "total_prompt_tokens"),
            completion_tokens=_total(metrics, "total_completion_tokens"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return AgentResult()


def _total(metrics: Sequence[Mapping[str, int]], key: str) -> int | None:
    known = [each[key] for each in metrics if key in each]
    return sum(known) if known else None
