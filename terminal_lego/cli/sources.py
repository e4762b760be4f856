"""What every command on trajectories shares: its sources, a bar while they are read, what was set aside."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from terminal_lego.formats import SetAside
    from terminal_lego.trajectory import Trajectory

T = TypeVar("T")
SHOWN = 20


def add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a file, a Harbor job folder, a folder of any of these, or a hub data set (org/name)",
    )


def read_all(sources: Sequence[str]) -> "Iterator[Trajectory]":
    from terminal_lego.formats import iter_trajectories

    return told((item for source in sources for item in iter_trajectories(source)), "read")


def told(items: "Iterable[T | SetAside]", verb: str) -> Iterator[T]:
    """Yields what was read, with a bar and a rate; says at the end what was set aside and why."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from terminal_lego.formats import SetAside

    aside: list[SetAside] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"{verb} 0", total=None)
        count = 0
        for item in items:
            if isinstance(item, SetAside):
                aside.append(item)
                continue
            count += 1
            elapsed = progress.tasks[0].elapsed or 0
            rate = f", {count / elapsed:,.0f}/s" if elapsed > 1 else ""
            progress.update(bar, advance=1, description=f"{verb} {count:,}{rate}")
            yield item
    print(f"{count + len(aside):,} met: {count:,} read, {len(aside):,} set aside.")
    tell_set_aside(aside)


def tell_set_aside(aside: "Iterable[SetAside]") -> None:
    """One line per reason, the most frequent first, each with an example."""
    rows = list(aside)
    example = {row.reason: row.source for row in reversed(rows)}
    reasons = Counter(row.reason for row in rows).most_common()
    for reason, count in reasons[:SHOWN]:
        print(f"set aside {count}: {reason} (for example {example[reason]})")
    if len(reasons) > SHOWN:
        print(f"and {len(reasons) - SHOWN} more reasons", file=sys.stderr)
