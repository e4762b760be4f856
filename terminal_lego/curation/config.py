"""What the user may ask of a selection."""

from dataclasses import dataclass

from terminal_lego.errors import ConfigError

OUTCOMES = ("passed", "failed", "all")


@dataclass
class SelectionConfig:
    """Which trajectories stay.

    Attributes:
        outcome: "passed" (reward of 1 or more), "failed" (a reward below 1) or "all".
        complete: keep only those whose last reply says that the task is complete.
        teacher: keep only this model's trajectories, named as the source names it.
        limit: at most this many, drawn at random.
        seed: of that draw.

    Raises:
        ConfigError: an outcome or a limit that means nothing.
    """

    outcome: str = "passed"
    complete: bool = True
    teacher: str | None = None
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ConfigError(f"outcome={self.outcome!r} is none of {', '.join(OUTCOMES)}.")
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"limit={self.limit} keeps nothing; give 1 or more, or leave it out for all.")
