"""`terminal-lego tor SOURCE…`: how much each teacher looks before it acts."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.cli.sources import add_sources, told
from terminal_lego.cli.tables import print_table

if TYPE_CHECKING:
    from terminal_lego.grounding.summary import Estimate, Teacher

_SHARES = {
    "act_verify": "actions verified later",
    "inspect_act_verify": "inspected, acted, verified",
    "redundant": "observations of no use",
    "retried": "failed commands run again",
    "parse_errors": "replies that do not parse",
}
_COUNTS = {
    "turns": "turns",
    "commands_per_turn": "commands per turn",
    "failures": "failed commands",
}


def add(rooms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = rooms.add_parser(
        "tor",
        help="how much each teacher looks before it acts: TOR under every variant, per teacher",
        description="Prints the Targeted Observation Ratio (TOR) of each teacher under every declared "
        "variant, beside the published figures, and writes one line of scores per trajectory.",
    )
    add_sources(parser)
    parser.add_argument("--matched", action="store_true", help="only tasks that every teacher attempted")
    parser.add_argument(
        "--pooled", action="store_true", help="all actions taken together, not mean per trajectory"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("tor.jsonl"), help="scores per trajectory (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (%(default)s)")
    parser.set_defaults(run=_run)


def _run(chosen: argparse.Namespace) -> int:
    from terminal_lego.grounding.summary import by_teacher, matched
    from terminal_lego.json_files import writing_lines
    from terminal_lego.report.scoring import scored

    found = []
    with writing_lines(chosen.out) as write:
        for score in told(scored(chosen.sources), "scored"):
            write(score.record())
            found.append(score)
    kept = matched(found) if chosen.matched else found
    if chosen.matched:
        print(f"{len(kept)} of {len(found)} trajectories are of tasks that every teacher attempted.")
    if kept:
        _print(by_teacher(kept, chosen.seed), chosen.pooled)
    print(f"Scores per trajectory: {chosen.out}")
    return 0


def _print(teachers: "Sequence[Teacher]", pooled: bool) -> None:
    from terminal_lego.grounding.summary import published
    from terminal_lego.grounding.tor import DEFAULT, VARIANTS

    names = [teacher.model or "unknown" for teacher in teachers]
    kind = "pooled over actions" if pooled else "mean per trajectory"
    print(f"TOR in per cent, {kind} [95 % bootstrap over tasks]; rows: actions, align, window, splitting")
    rows = [
        ("published", *("" if (tor := teacher.published) is None else f"{tor:.1f}" for teacher in teachers))
    ]
    for variant in VARIANTS:
        figures = [(teacher.pooled if pooled else teacher.mean)[variant] for teacher in teachers]
        label = f"{variant}{' *' if variant == DEFAULT else ''}"
        rows.append((label, *(_interval(figure, 100) for figure in figures)))
    print_table(("variant", *names), rows)
    print(
        "* the default. Published in arXiv 2606.03461, by a definition that is not public and that no row is"
    )
    print("  claimed to be: " + ", ".join(f"{name} {tor:.1f}" for name, tor in published().items()))
    print()
    counts = [
        ("trajectories", *(f"{teacher.trajectories:,}" for teacher in teachers)),
        ("tasks", *(f"{teacher.tasks:,}" for teacher in teachers)),
    ]
    for table, scale in ((_COUNTS, 1), (_SHARES, 100)):
        for name, label in table.items():
            unit = ", %" if scale == 100 else ""
            counts.append((label + unit, *(_interval(t.measures[name], scale) for t in teachers)))
    print_table(("mean per trajectory", *names), counts)


def _interval(estimate: "Estimate", scale: int) -> str:
    if math.isnan(estimate.value):
        return "nan"
    value, low, high = (f"{scale * bound:.1f}" for bound in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"
