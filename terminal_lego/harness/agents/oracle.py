"""The reference solution as an agent: what it cannot solve, no student can be asked to."""

from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego import __version__
from terminal_lego.errors import AgentTimeoutError, CommandTimeoutError, TaskError
from terminal_lego.harness.agents import AgentResult
from terminal_lego.harness.deadline import Deadline
from terminal_lego.harness.support import expand

if TYPE_CHECKING:
    from terminal_lego.harness.sandbox import Sandbox
    from terminal_lego.task import Task


class Oracle:
    """Runs solution/solve.sh as the agent's user; its exit code is noted, the verifier decides."""

    name = "oracle"
    version = __version__
    model = None

    def run(self, task: "Task", sandbox: "Sandbox", trial_dir: Path, deadline: Deadline) -> AgentResult:
        """Writes agent/oracle.txt, and agent/exit-code.txt for a solution that fails; see `Agent.run`."""
        script = task.solution / "solve.sh"
        if not script.is_file():
            raise TaskError(f"{script} is missing; the oracle has nothing to run.")
        log = trial_dir / "agent" / "oracle.txt"
        sandbox.upload(task.solution, "/solution")
        try:
            result = sandbox.exec(
                "/solution/solve.sh",
                user=task.config.agent.user,
                env={"DEBIAN_FRONTEND": "noninteractive", **expand(task.config.solution.env, task)},
                timeout=deadline.timeout(),
            )
        except CommandTimeoutError as error:
            log.write_text(error.output, encoding="utf-8")
            deadline.check()
            raise AgentTimeoutError(f"The solution did not finish: {error}") from error
        log.write_text(result.output, encoding="utf-8")
        if result.exit_code:
            (trial_dir / "agent" / "exit-code.txt").write_text(f"{result.exit_code}\n", encoding="utf-8")
        return AgentResult()
