"""The tables and bars of a data card."""

import math
import statistics
from collections import Counter
from typing import TYPE_CHECKING

from markupsafe import Markup

from terminal_lego.curation import contamination_table, funnel_table, loss_table
from terminal_lego.report.card.facts import CardFacts, Group
from terminal_lego.report.card.histogram import histogram
from terminal_lego.report.card.markdown import block, from_rich, table

if TYPE_CHECKING:
    from rich.table import Table

    from terminal_lego.grounding.summary import Estimate

UNKNOWN = "unknown"
_SHOWN = 20
_REST = "all others"


def tables(facts: CardFacts) -> dict[str, Markup]:
    """By the name the template knows them by; empty where there is nothing to show."""
    unit = "tokens" if facts.tokenizer else "characters"
    return {
        "counts": _counts(facts.everything),
        "teachers": _teachers(facts),
        "set_aside": _counted("reason", facts.set_aside or Counter()),
        "funnel": _funnel(facts),
        "losses": _or_nothing(loss_table(facts.losses)),
        "harnesses": _harnesses(facts),
        "turns": block(histogram(facts.everything.turns, "turns"), "text"),
        "lengths": block(histogram(facts.lengths, unit), "text") if facts.lengths else Markup(""),
        "unrendered": _counted("reason", facts.unrendered),
        "contamination": _contamination(facts),
        "licences": _licences(facts),
    }


def _or_nothing(made: "Table | None") -> Markup:
    return from_rich(made) if made else Markup("")


def _funnel(facts: CardFacts) -> Markup:
    if not facts.funnel:
        return Markup("")
    reasons = _most(facts.set_aside or Counter())
    return from_rich(funnel_table(facts.funnel, list(reasons.elements())))


def _contamination(facts: CardFacts) -> Markup:
    report = facts.decontamination
    return _or_nothing(contamination_table(report) if report and report.rows else None)


def _licences(facts: CardFacts) -> Markup:
    if not any(facts.licences):
        return Markup("")
    named = Counter({name or "not stated": count for name, count in facts.licences.items()})
    return _counted("licence", named)


def _counts(group: Group) -> Markup:
    turns = sum(turns * count for turns, count in group.turns.items())
    rows = {
        "trajectories": group.trajectories,
        "tasks": len(group.tasks),
        "turns (replies)": turns,
        "turns per trajectory, median": _median(group),
        "trajectories that passed (reward of 1 or more)": group.passed,
        "trajectories that failed (reward below 1)": group.failed,
        "trajectories without a reward": group.without_reward,
        "trajectories ended early by an exception": group.ended_early,
    }
    return table(("what", "how many"), list(rows.items()))


def _teachers(facts: CardFacts) -> Markup:
    head = ["teacher", "trajectories", "tasks", "passed", "turns, median"]
    names = sorted(facts.teachers, key=lambda name: (-facts.teachers[name].trajectories, name))
    rows: list[list[str | int]] = []
    for name in names:
        group = facts.teachers[name]
        rows.append([name or UNKNOWN, group.trajectories, len(group.tasks), _passed(group), _median(group)])
        if facts.tor:
            rows[-1].append(_interval(facts.tor.get(name)))
    return table([*head, "TOR [95 %]"] if facts.tor else head, rows)


def _passed(group: Group) -> str:
    judged = group.passed + group.failed
    return f"{group.passed:,} of {judged:,} ({_percent(group.passed / judged)})" if judged else UNKNOWN


def _median(group: Group) -> str:
    return f"{statistics.median(group.turns.elements()):,g}"


def _interval(tor: "Estimate | None") -> str:
    if tor is None:
        return UNKNOWN
    if math.isnan(tor.value):
        return "no action"
    if math.isnan(tor.low):
        return f"{_percent(tor.value)} (no interval)"
    return f"{_percent(tor.value)} [{100 * tor.low:.1f}, {100 * tor.high:.1f}]"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _harnesses(facts: CardFacts) -> Markup:
    rows = [
        (agent or UNKNOWN, version or UNKNOWN, wording or "not recognised", count)
        for (agent, version, wording), count in facts.harnesses.most_common(_SHOWN)
    ]
    if rest := facts.harnesses.total() - sum(row[-1] for row in rows):
        rows.append((_REST, "", "", rest))
    return table(("agent", "version", "wording", "trajectories"), rows, words=3)


def _counted(what: str, counts: Counter[str]) -> Markup:
    return table((what, "trajectories"), _most(counts).most_common()) if counts else Markup("")


def _most(counts: Counter[str]) -> Counter[str]:
    """The most frequent ones; the others together."""
    most = Counter(dict(counts.most_common(_SHOWN)))
    rest = counts.total() - most.total()
    return most + Counter({_REST: rest}) if rest else most
