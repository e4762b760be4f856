"""What stands at the head of the page: the score that an evaluation left in the job, and plain counts."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.loading import dig, load_json, number, text_or
from terminal_lego.report.trials.attempt import FAILED, LOST, PARTIAL, PASSED, UNFINISHED, Attempt

EVALUATION = "evaluation.json"
FORMS = (
    ("pass@1", "pass_at_1", "interval"),
    (
        "without infrastructure errors",
        "pass_at_1_without_infrastructure_errors",
        "interval_without_infrastructure_errors",
    ),
)
LABELS = {
    PASSED: "passed",
    PARTIAL: "partly passed",
    FAILED: "failed",
    LOST: "lost to the infrastructure",
    UNFINISHED: "unfinished",
}


def scores(job: Path) -> tuple[list[dict[str, str]], str]:
    """Both forms of pass@1 with their intervals and how these were found; nothing without an evaluation."""
    try:
        evaluation = load_json(job / EVALUATION)
    except TrajectoryError:
        return [], ""
    found = []
    for label, key, interval in FORMS:
        value, ends = number(dig(evaluation, key)), dig(evaluation, interval)
        if value is None:
            continue
        known = [number(end) for end in ends] if isinstance(ends, list) else []
        span = (
            f"{_percent(known[0])} to {_percent(known[1])}"
            if len(known) == 2 and None not in known
            else "no interval"
        )
        found.append({"label": label, "value": _percent(value), "interval": span})
    return found, text_or(dig(evaluation, "interval_method"), "")


def counts(attempts: Sequence[Attempt]) -> list[tuple[str, int]]:
    """Trials by outcome, in one order; passed is always there."""
    found = Counter(attempt.outcome for attempt in attempts)
    return [(outcome, found[outcome]) for outcome in LABELS if found[outcome] or outcome == PASSED]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
