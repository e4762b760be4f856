"""One trajectory's figures: what `terminal-lego tor` writes down for each and sums up by teacher."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from terminal_lego.grounding.events import read_events
from terminal_lego.grounding.measures import Measures, measure
from terminal_lego.grounding.task_text import task_hash
from terminal_lego.grounding.tor import DEFAULT, Count, Variant, score
from terminal_lego.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Scores:
    """Attributes:
    task_hash: of the instruction's text; equal for the same task whatever a source calls it.
    tor: every declared variant.
    """

    id: str
    task: str
    task_hash: str
    model: str
    reward: float | None
    tor: Mapping[Variant, Count]
    measures: Measures

    def record(self) -> dict[str, Any]:
        """As JSON values: the default TOR as a share, every variant as [supported, actions]."""
        return {
            "id": self.id,
            "task": self.task,
            "task_hash": self.task_hash,
            "model": self.model,
            "reward": self.reward,
            "tor": self.tor[DEFAULT].ratio,
            **asdict(self.measures),
            "variants": {str(variant): [n.supported, n.actions] for variant, n in self.tor.items()},
        }


def scores(trajectory: Trajectory) -> Scores:
    events = read_events(trajectory)
    return Scores(
        id=trajectory.id,
        task=trajectory.task,
        task_hash=task_hash(trajectory),
        model=trajectory.model,
        reward=trajectory.reward,
        tor=score(events),
        measures=measure(trajectory, events),
    )
