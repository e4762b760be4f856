"""What a data card says, counted while the trajectories pass by."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from terminal_lego.curation import DecontaminationReport, FunnelRow, Loss
from terminal_lego.curation.steps import fact
from terminal_lego.errors import UntrainableError
from terminal_lego.grounding.task_text import task_hash
from terminal_lego.report.card.wording import fingerprint, wording
from terminal_lego.trajectory import Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from terminal_lego.grounding.summary import Estimate

_STORED_DIGITS = 3


@dataclass
class Group:
    """Some of the trajectories, such as one teacher's. `turns` says how many have how many turns."""

    tasks: set[str] = field(default_factory=set)
    passed: int = 0
    failed: int = 0
    without_reward: int = 0
    ended_early: int = 0
    turns: Counter[int] = field(default_factory=Counter)

    def add(self, trajectory: Trajectory, task: str) -> None:
        """A trial passed when its reward is at least 1."""
        self.tasks.add(task)
        if trajectory.reward is None:
            self.without_reward += 1
        elif trajectory.reward >= 1:
            self.passed += 1
        else:
            self.failed += 1
        self.ended_early += trajectory.exception is not None
        self.turns[len(trajectory.turns)] += 1

    @property
    def trajectories(self) -> int:
        return self.turns.total()


@dataclass
class CardFacts:
    """All that a card is made of. What is given comes first, what `add` counts after it.

    Attributes:
        title: of the data set.
        sources: where it was read from: paths or hub names.
        command: what was typed to make it.
        data_file: our own Parquet file with the rows, relative to the card; empty when there is none.
        digest: the data digest of that file, empty when unknown.
        tokenizer, tokenizer_name: counts lengths; without it they are characters.
        set_aside: what could not be read, by reason; None when unknown.
        funnel, losses: of the selection, empty without one.
        decontamination: of the comparison with a benchmark, None without one.
        drops_contaminated: whether tasks of the benchmark were taken out after the comparison.
        tor: Targeted Observation Ratio by teacher (default variant, mean over trajectories); empty when it
            was not measured.
        lengths: how many trajectories have how many tokens or characters, to three digits.
        unrendered: trajectories that cannot become tokens, by reason.
        harnesses: by agent, version and fingerprint of the wording (None when it was not recognised).
        licences: by what the trajectory states, empty for nothing.
    """

    title: str
    sources: Sequence[str] = ()
    command: str = ""
    data_file: str = ""
    digest: str = ""
    tokenizer: "PreTrainedTokenizerBase | None" = None
    tokenizer_name: str = ""
    set_aside: Counter[str] | None = None
    funnel: Sequence[FunnelRow] = ()
    losses: Sequence[Loss] = ()
    decontamination: DecontaminationReport | None = None
    drops_contaminated: bool = False
    tor: "Mapping[str, Estimate]" = field(default_factory=dict)

    everything: Group = field(default_factory=Group)
    teachers: dict[str, Group] = field(default_factory=dict)
    lengths: Counter[int] = field(default_factory=Counter)
    unrendered: Counter[str] = field(default_factory=Counter)
    harnesses: Counter[tuple[str, str, str | None]] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)

    def add(self, trajectory: Trajectory) -> None:
        """Raises:
        RenderError: the tokenizer's chat template cannot be used.
        """
        task = task_hash(trajectory)
        self.everything.add(trajectory, task)
        self.teachers.setdefault(trajectory.model, Group()).add(trajectory, task)
        self.harnesses[trajectory.agent, trajectory.agent_version, wording(trajectory)] += 1
        licence = fact(trajectory, "license")
        self.licences["" if licence is None else str(licence)] += 1
        try:
            self.lengths[_rounded(self.length(trajectory))] += 1
        except UntrainableError as error:
            self.unrendered[error.reason] += 1

    def length(self, trajectory: Trajectory) -> int:
        """In tokens, or in characters without a tokenizer.

        Raises:
            UntrainableError: it cannot become tokens.
        """
        if self.tokenizer is None:
            return sum(len(message["content"]) for message in trajectory.messages())
        if not trajectory.turns:
            raise UntrainableError(f"{trajectory.id} holds no reply to train on.", "no replies")
        from terminal_lego.rendering.render import count_tokens

        return count_tokens(trajectory, self.tokenizer)

    @property
    def template(self) -> str:
        """Fingerprint of the chat template, empty without a tokenizer."""
        return fingerprint(self.tokenizer.get_chat_template()) if self.tokenizer else ""


def gather(trajectories: Iterable[Trajectory], title: str, **given: object) -> CardFacts:
    """Counts `trajectories` in one pass; none is kept.

    Args:
        given: fields of `CardFacts`.
    """
    facts = CardFacts(title, **given)
    for trajectory in trajectories:
        facts.add(trajectory)
    return facts


def _rounded(value: int) -> int:
    """To three digits: a histogram needs no more, and the number of different lengths stays small."""
    return int(float(f"{value:.{_STORED_DIGITS - 1}e}"))
