"""An agent that does nothing: a task that rewards it is broken."""

from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego import __version__
from terminal_lego.harness.agents import AgentResult
from terminal_lego.harness.deadline import Deadline

if TYPE_CHECKING:
    from terminal_lego.harness.sandbox import Sandbox
    from terminal_lego.task import Task


class Nop:
    name = "nop"
    version = __version__
    model = None

    def run(self, task: "Task", sandbox: "Sandbox", trial_dir: Path, deadline: Deadline) -> AgentResult:
        return AgentResult()
