"""`terminal-lego trajectories card SOURCE…`: a README.md that says what they hold."""

import argparse
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.cli.described import begun, contents
from terminal_lego.cli.selecting import add_selection, add_tokenizer
from terminal_lego.cli.sources import add_sources
from terminal_lego.errors import ConfigError, TrajectoryError

if TYPE_CHECKING:
    from terminal_lego.report.card import CardFacts
    from terminal_lego.trajectory import Trajectory

_DATA = (".json", ".jsonl", ".parquet")


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = actions.add_parser(
        "card",
        help="a data card (README.md): counts, teachers, filters, harness, lengths, licences",
        description="Prints a data card for what SOURCE holds, or writes it with --out. "
        "Without --select and --benchmark it streams.",
    )
    add_sources(parser)
    add_selection(parser)
    parser.add_argument("--benchmark", metavar="FOLDER", help="compare with the benchmark tasks in there")
    add_tokenizer(parser, "to give lengths in tokens")
    parser.add_argument("--out", type=Path, metavar="README.md", help="write it to this file")
    parser.set_defaults(run=_run)


def _run(chosen: argparse.Namespace) -> int:
    from terminal_lego.report.card import card
    from terminal_lego.task import find_tasks

    if chosen.out and chosen.out.is_dir():
        raise ConfigError(f"--out {chosen.out} is a folder; name a file in it, such as README.md.")
    if chosen.benchmark:
        find_tasks(chosen.benchmark)  # a mistake is told before minutes of reading
    facts = begun(chosen, "card")
    with redirect_stdout(sys.stderr):  # standard output is for the card
        trajectories = contents(chosen, facts)
        if chosen.benchmark:
            trajectories = list(trajectories)
            _compare(trajectories, chosen.benchmark, facts)
        _count(trajectories, facts)
    _find_digest(chosen, facts)
    text = card(facts)
    if chosen.out is None:
        print(text, end="")
        return 0
    try:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {chosen.out} cannot be written: {error.strerror}.") from None
    print(f"Written to {chosen.out}")
    return 0


def _compare(trajectories: "list[Trajectory]", benchmark: str, facts: "CardFacts") -> None:
    from terminal_lego.curation.decontamination import Decontamination

    step = Decontamination(benchmark, drop=True)
    step(trajectories)
    facts.decontamination, facts.drops_contaminated = step.report, False


def _count(trajectories: "Iterable[Trajectory]", facts: "CardFacts") -> None:
    """Keeps the scores of each, which are small, and none of the trajectories."""
    from terminal_lego.grounding.scores import scores
    from terminal_lego.grounding.summary import by_teacher
    from terminal_lego.grounding.tor import DEFAULT

    scored = []
    for trajectory in trajectories:
        facts.add(trajectory)
        scored.append(scores(trajectory))
    facts.tor = {teacher.model: teacher.mean[DEFAULT] for teacher in by_teacher(scored)}


def _find_digest(chosen: argparse.Namespace, facts: "CardFacts") -> None:
    """What is all of one Parquet file of our own has the digest of that file."""
    from terminal_lego.formats import read_digest
    from terminal_lego.report.card import DATA_FILE

    if chosen.select or facts.set_aside or len(chosen.sources) > 1:
        return
    source = Path(chosen.sources[0])
    files = [file for file in source.rglob("*") if file.suffix in _DATA] if source.is_dir() else [source]
    if files not in ([source], [source / DATA_FILE]) or not files[0].is_file():
        return
    try:
        facts.digest = read_digest(files[0])
    except TrajectoryError:
        return  # not a file of ours
    facts.data_file = DATA_FILE if source.is_dir() else source.name
