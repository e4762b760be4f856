"""`terminal-lego harness fingerprint SOURCE…`: the wording and reply format trajectories were recorded in."""

import argparse
import json
import sys
from collections import Counter, defaultdict
from contextlib import nullcontext, redirect_stdout

from terminal_lego.cli.sources import add_sources, read_all
from terminal_lego.cli.tables import print_table


def add(rooms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = rooms.add_parser("harness", help="what an agent is shown: fingerprint")
    actions = parser.add_subparsers(required=True, metavar="action")
    fingerprint = actions.add_parser(
        "fingerprint", help="say by model which profile and reply format trajectories were recorded in"
    )
    add_sources(fingerprint)
    fingerprint.add_argument("--json", action="store_true", help="counts by model and profile, as JSON")
    fingerprint.set_defaults(run=_fingerprint)


def _fingerprint(chosen: argparse.Namespace) -> int:
    from terminal_lego.harness.fingerprint import identify

    counts: dict[str, Counter[str]] = defaultdict(Counter)
    with redirect_stdout(sys.stderr) if chosen.json else nullcontext():
        for trajectory in read_all(chosen.sources):
            counts[trajectory.model or "unknown"][identify(trajectory.prompt)] += 1
    if chosen.json:
        print(json.dumps(counts, indent=2, sort_keys=True))
        return 0
    rows = []
    for model, found in sorted(counts.items()):
        for name, count in found.most_common():
            profile, _, parser = name.rpartition("-")
            share = f"{count / found.total():.1%}"
            rows.append((model, profile or name, parser if profile else "?", f"{count:,}", share))
    if rows:
        print_table(("model", "profile", "parser", "trials", "share"), rows)
    return 0
