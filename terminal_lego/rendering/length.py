"""What becomes of an example that is longer than the student may read, and what that costs."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from terminal_lego.rendering.example import Example, Span

DROP, CUT = LENGTHS = ("drop", "cut")


def fit(example: "Example", limit: int, policy: str) -> "Example | None":
    """The example within `limit` tokens, or None when nothing to train on is left of it.

    Args:
        policy: drop (a longer one goes whole), or cut (it ends after the last whole reply that fits).
    """
    if len(example.input_ids) <= limit:
        return example
    if policy == DROP:
        return None
    end = max(
        (span.end for span in example.spans if span.role == "assistant" and span.end <= limit), default=0
    )
    weights = example.weights[:end]
    if not any(weights):
        return None
    return replace(
        example,
        input_ids=example.input_ids[:end],
        weights=weights,
        spans=_until(example.spans, end),
        parts=_until(example.parts, end),
    )


def ends_done(example: "Example") -> bool:
    """Whether the last reply that is trained declares the task complete."""
    from terminal_lego.rendering.example import DONE  # numpy: not for those who only read LENGTHS

    trained = (
        span for span in reversed(example.spans) if span.role == "assistant" and example.weights[span.end - 1]
    )
    return next(trained).label == DONE


@dataclass
class LengthReport:
    """What a limit did to the examples, each counting once, whatever its length.

    A student learns to finish from examples that end in a completion: dropping takes whole ones away, cutting
    would turn them into examples of never finishing, and no other count shows it.

    Attributes:
        examples: given.
        over: of those, longer than the limit.
        dropped: of those, gone; the others were cut.
        done: of all, those whose last trained reply declares the task complete.
        dropped_done: of those, gone.
        cut_done: of those, cut before that reply; always 0 under drop.
    """

    examples: int = 0
    over: int = 0
    dropped: int = 0
    done: int = 0
    dropped_done: int = 0
    cut_done: int = 0

    def add(self, example: "Example", fitted: "Example | None") -> None:
        """Counts an example and what `fit` made of it."""
        done = ends_done(example)
        self.examples += 1
        self.done += done
        self.over += fitted is not example
        if fitted is None:
            self.dropped += 1
            self.dropped_done += done
        else:
            self.cut_done += done and not ends_done(fitted)

    @property
    def share_given(self) -> float:
        """Of the examples given, the share that ends in a completion."""
        return _share(self.done, self.examples)

    @property
    def share_kept_given(self) -> float:
        """The same of the examples that are kept, as they were given."""
        return _share(self.done - self.dropped_done, self.examples - self.dropped)

    @property
    def share_kept(self) -> float:
        """The same as they are trained. Less than `share_kept_given` by what was cut; equal under drop."""
        return _share(self.done - self.dropped_done - self.cut_done, self.examples - self.dropped)

    def __str__(self) -> str:
        return (
            f"{self.over:,} of {self.examples:,} examples are too long: {self.dropped:,} dropped "
            f"({self.dropped_done:,} of them end in task_complete), {self.over - self.dropped:,} cut "
            f"({self.cut_done:,} lost that turn). Examples that end in task_complete: "
            f"{self.share_given:.1%} of all, {self.share_kept:.1%} of those trained."
        )


def _until(spans: "tuple[Span, ...]", end: int) -> "tuple[Span, ...]":
    return tuple(span for span in spans if span.end <= end)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
