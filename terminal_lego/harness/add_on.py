"""Sentences that a teacher is given on top of a task's own instruction, and the teacher that gets them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import ConfigError
from terminal_lego.harness.agents import AgentResult
from terminal_lego.harness.agents.terminus2 import Terminus2
from terminal_lego.harness.clients import ChatClient
from terminal_lego.harness.deadline import Deadline
from terminal_lego.harness.profile import Profile
from terminal_lego.harness.session import Shell
from terminal_lego.trajectory import Trajectory

if TYPE_CHECKING:
    from terminal_lego.task import Task

FOLDER = Path(__file__).parent / "add_ons"


@dataclass(frozen=True)
class AddOn:
    """`name` is how trajectories and tables call it."""

    name: str
    text: str

    @classmethod
    def read(cls, name: str) -> "AddOn":
        """One of this project's by its name, else a .md file by its path.

        Raises:
            ConfigError: there is no such file, or nothing in it.
        """
        own = FOLDER / f"{name}.md"
        path = own if "/" not in name and own.is_file() else Path(name)
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.md")))
            raise ConfigError(
                f"add_on={name} cannot be read: give the path of a text file, or one of {known}."
            ) from None
        if not text:
            raise ConfigError(f"add_on={name} is empty: write the sentences in it, or leave it out.")
        return cls(path.stem, text)


class Teacher(Terminus2):
    """Terminus-2 whose instruction may end with an add-on, which its trajectories name.

    Args:
        add_on: None for the task's own instruction alone.
        sampling: how the model is asked; part of what must be equal for a job to be resumed.
    """

    def __init__(
        self,
        client: ChatClient,
        profile: Profile | None = None,
        max_turns: int | None = None,
        *,
        add_on: AddOn | None = None,
        sampling: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(client, profile, max_turns)
        self._add_on = add_on
        described = {"name": add_on.name, "text": add_on.text} if add_on else None
        self.config = {**self.config, "add_on": described, **(sampling or {})}

    def run(self, task: "Task", sandbox: Shell, trial_dir: Path, deadline: Deadline) -> AgentResult:
        if self._add_on:
            task = replace(task, instruction=f"{task.instruction.rstrip()}\n\n{self._add_on.text}\n")
        return super().run(task, sandbox, trial_dir, deadline)

    def _trajectory(self, trial: str, task: str, prompt: str) -> Trajectory:
        trajectory = super()._trajectory(trial, task, prompt)
        if not self._add_on:
            return trajectory
        return replace(trajectory, extra=trajectory.extra | {"add_on": self._add_on.name})
