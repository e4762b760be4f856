"""What a run leaves behind, written while it happens."""

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from terminal_lego.formats import write_atif
from terminal_lego.harness.agents import AgentResult
from terminal_lego.harness.clients import Completion
from terminal_lego.trajectory import Trajectory, Turn


class Record:
    """Writes `agent/trajectory.json` after every turn, and `agent/episode-N/{prompt,response}.txt`.

    A context manager: whatever ends the run is noted in the trajectory and goes on its way.
    """

    def __init__(self, trial_dir: Path, trajectory: Trajectory) -> None:
        self._folder = trial_dir / "agent"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.trajectory = trajectory

    def reply(self, prompt: str, completion: Completion, seconds: float) -> None:
        """Add a turn; its observation is still to come."""
        turns = self.trajectory.turns
        episode = self._folder / f"episode-{len(turns)}"
        episode.mkdir(exist_ok=True)
        (episode / "prompt.txt").write_bytes(prompt.encode())
        (episode / "response.txt").write_bytes(completion.text.encode())
        turn = Turn(
            completion.text,
            reasoning=completion.reasoning,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            seconds=seconds,
        )
        self._write(replace(self.trajectory, turns=(*turns, turn)))

    def observation(self, text: str) -> None:
        """Complete the last turn with the user message that answers it."""
        *before, last = self.trajectory.turns
        self._write(replace(self.trajectory, turns=(*before, replace(last, observation=text))))

    def result(self) -> AgentResult:
        turns = self.trajectory.turns
        return AgentResult(
            len(turns),
            _total([turn.prompt_tokens for turn in turns]),
            _total([turn.completion_tokens for turn in turns]),
        )

    def __enter__(self) -> Self:
        self._write(self.trajectory)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._write(replace(self.trajectory, exception=kind.__name__))

    def _write(self, trajectory: Trajectory) -> None:
        self.trajectory = trajectory
        write_atif(trajectory, self._folder / "trajectory.json")


def _total(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
