"""Which replies, and which characters of them, a student is trained to write."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from terminal_lego.errors import ConfigError
from terminal_lego.grounding.event import ACTION, OBSERVATION, OTHER, VERIFICATION, Event
from terminal_lego.grounding.events import read_events
from terminal_lego.trajectory import Trajectory, Turn

PARSE_ERROR, WARNED, FAILED = "parse_error", "warned", "failed"
HIDEABLE = (OBSERVATION, ACTION, VERIFICATION, PARSE_ERROR, WARNED, FAILED)
TURN, SPAN, CONTEXT = UNITS = ("turn", "span", "context")
LABELS = (ACTION, VERIFICATION, OBSERVATION, OTHER)
"""What a command is called that holds events of several kinds: the first of these."""


@dataclass
class MaskConfig:
    """Which tokens carry loss. Copied turns never do.

    Attributes:
        hide: what is not trained. observation: replies that only look; action, verification: replies with
            such a command; failed: with a command after which the screen shows an error; parse_error:
            replies that do not parse; warned: that parse with a warning.
        unit: turn (whole replies), span (of a reply only the JSON objects of commands that are nothing
            else), or context (the replies are taken out of the conversation, each with what it was
            answered; the last is only masked).
        random: a control instead: random whole replies with as many tokens as the mask would hide.
        seed: of that choice.
        least, most: the share of all tokens that is expected to be trained.
    """

    hide: list[str] = field(default_factory=list)
    unit: str = TURN
    random: bool = False
    seed: int = 0
    least: float = 0.0
    most: float = 1.0

    def __post_init__(self) -> None:
        for name in self.hide:
            if name not in HIDEABLE:
                raise ConfigError(f"mask.hide={name} is not known: choose among {', '.join(HIDEABLE)}.")
        if self.unit not in UNITS:
            raise ConfigError(f"mask.unit={self.unit} is not known: choose one of {', '.join(UNITS)}.")
        if self.unit == SPAN and (whole := [name for name in self.hide if name in (PARSE_ERROR, WARNED)]):
            raise ConfigError(
                f"mask.unit=span cannot hide {whole[0]}, which is said of a whole reply: set mask.unit=turn."
            )
        if self.random and self.unit == CONTEXT:
            raise ConfigError(
                "mask.random=true masks replies and mask.unit=context takes them out: set mask.unit=turn."
            )
        if self.random and not self.hide:
            raise ConfigError("mask.random=true has nothing to match: name in mask.hide what it stands for.")
        if not 0 <= self.least <= self.most <= 1:
            raise ConfigError(
                f"mask.least={self.least} and mask.most={self.most} are no band: "
                "give shares with 0 <= least <= most <= 1."
            )


@dataclass(frozen=True, slots=True)
class Part:
    """Characters `[start, end)` of a raw reply; `weight` is a factor on the turn's."""

    start: int
    end: int
    label: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class TurnMask:
    """The loss weight of one reply and its end-of-turn token, and the parts that differ or have a name."""

    weight: float = 1.0
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class MaskedTrajectory:
    """`turns` has one entry for each turn of `trajectory`."""

    trajectory: Trajectory
    turns: tuple[TurnMask, ...]


def mask(trajectory: Trajectory, config: MaskConfig) -> MaskedTrajectory:
    """The trajectory is another only under unit=context."""
    events = read_events(trajectory, failures=FAILED in config.hide)
    return mask_events(trajectory, events, config)


def mask_events(trajectory: Trajectory, events: Sequence[Event], config: MaskConfig) -> MaskedTrajectory:
    """As `mask`, with the events of the trajectory at hand."""
    by_turn: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        by_turn[event.turn].append(event)
    last = len(trajectory.turns) - 1
    turns: list[Turn] = []
    masks: list[TurnMask] = []
    for index, turn in enumerate(trajectory.turns):
        hidden = config.unit != SPAN and _hidden_turn(turn, by_turn[index], config.hide)
        if config.unit == CONTEXT and hidden and index != last and not turn.is_copied:
            continue
        turns.append(turn)
        weight = 0.0 if hidden or turn.is_copied else 1.0
        masks.append(TurnMask(weight, _parts(turn, by_turn[index], config)))
    if len(turns) < len(trajectory.turns):
        trajectory = replace(trajectory, turns=tuple(turns))
    return MaskedTrajectory(trajectory, tuple(masks))


def whole(turns: Sequence[TurnMask]) -> list[TurnMask]:
    """The same parts, with nothing hidden."""
    return [TurnMask(parts=tuple(replace(part, weight=1.0) for part in turn.parts)) for turn in turns]


def _hidden_turn(turn: Turn, events: Sequence[Event], hide: Collection[str]) -> bool:
    kinds = {event.kind for event in events}
    return (
        (OBSERVATION in hide and OBSERVATION in kinds and kinds <= {OBSERVATION, OTHER})
        or any(kind in hide and kind in kinds for kind in (ACTION, VERIFICATION))
        or (FAILED in hide and any(event.failed for event in events))
        or (PARSE_ERROR in hide and bool(turn.parsed.error))
        or (WARNED in hide and bool(turn.parsed.warning) and not turn.parsed.error)
    )


def _parts(turn: Turn, events: Sequence[Event], config: MaskConfig) -> tuple[Part, ...]:
    """One for each command that an event begins in."""
    by_command: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        by_command[event.command].append(event)
    parts = []
    for index in sorted(by_command):
        kinds = {event.kind for event in by_command[index]}
        label = next(kind for kind in LABELS if kind in kinds)
        hidden = config.unit == SPAN and _hidden_command(by_command[index], config.hide)
        parts.append(Part(*turn.commands[index].span, label, 0.0 if hidden else 1.0))
    return tuple(parts)


def _hidden_command(events: Sequence[Event], hide: Collection[str]) -> bool:
    hidden = [event.kind in hide or (FAILED in hide and bool(event.failed)) for event in events]
    others = [event.kind == OTHER for event in events]
    return any(hidden) and all(map(max, hidden, others))
