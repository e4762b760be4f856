"""What the inspector is told about one trajectory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from terminal_lego.errors import RenderError
from terminal_lego.grounding.event import Event
from terminal_lego.trajectory import Trajectory


@dataclass(frozen=True)
class ReplyTokens:
    """The tokens of one raw reply, in order; together they spell all of it.

    Attributes:
        lengths: characters that each token adds; 0 for one that ends inside a character.
        weights: the loss weight of each token.

    Raises:
        RenderError: there is not one weight per token.
    """

    lengths: Sequence[int]
    weights: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.lengths) != len(self.weights):
            raise RenderError(
                f"{len(self.weights)} weights for {len(self.lengths)} tokens of a reply; give one each."
            )


@dataclass(frozen=True)
class Entry:
    """One trajectory to look at.

    Attributes:
        events: the simple commands that were typed in it.
        links: index of an action among `events` -> index of the observation that supports it.
        tor: the share of its actions that are supported; None without an action.
        tokens: its length as rendered for training.
        replies: the tokens of each turn's reply; None when no tokenizer was at hand.
        dropped: why the selection left it out; None when it was kept.
    """

    trajectory: Trajectory
    events: Sequence[Event] = ()
    links: Mapping[int, int] = field(default_factory=dict)
    tor: float | None = None
    tokens: int | None = None
    replies: Sequence[ReplyTokens] | None = None
    dropped: str | None = None
