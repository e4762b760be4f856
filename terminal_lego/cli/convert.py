"""`terminal-lego trajectories convert SOURCE… --to PLACE`."""

import argparse
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.cli.described import begun, contents
from terminal_lego.cli.selecting import add_selection, add_tokenizer
from terminal_lego.cli.sources import add_sources
from terminal_lego.errors import ConfigError, TrajectoryError

if TYPE_CHECKING:
    from terminal_lego.report.card import CardFacts
    from terminal_lego.trajectory import Trajectory

FORMATS = ("parquet", "messages", "sharegpt", "atif")
_LONGEST_NAME = 100
"""Characters of an id in a file's name."""


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = actions.add_parser(
        "convert",
        help="write them in another format",
        description="Writes what SOURCE holds in another format. Without --select it streams.",
    )
    add_sources(parser)
    parser.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="PLACE",
        help="a file; for atif a folder; for parquet FILE.parquet or a folder, which gets a data card too",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="parquet",
        help="parquet (default): typed columns, nothing lost; messages, sharegpt: JSON lines for other "
        "trainers (the last observation is left out); atif: one file per trajectory",
    )
    add_selection(parser)
    add_tokenizer(parser, "for lengths in tokens in the card, and for max_tokens")
    parser.set_defaults(run=_run)


def _run(chosen: argparse.Namespace) -> int:
    place: Path = chosen.to
    is_folder = _is_folder(place, chosen.format)
    facts = begun(chosen, "convert")
    trajectories = _some(contents(chosen, facts))
    try:
        if chosen.format == "parquet" and is_folder:
            digest = _write_data_set(trajectories, place, facts)
        else:
            digest = _write(trajectories, chosen.format, place)
    except OSError as error:
        raise ConfigError(f"--to {place} cannot be written: {error.strerror or error}.") from None
    print(f"Written to {place}{f', digest {digest}' if digest else ''}")
    return 0


def _is_folder(place: Path, form: str) -> bool:
    """Raises:
    ConfigError: the format cannot be written there.
    """
    if form == "atif":
        if place.exists() and not place.is_dir():
            raise ConfigError(f"--to {place} is a file; atif writes one file per trajectory: name a folder.")
        return True
    if form == "parquet":
        if place.suffix not in ("", ".parquet") and not place.is_dir():
            raise ConfigError(
                f"--to {place}: Parquet goes to a file that ends in .parquet, or to a folder; "
                "rename it, or choose another --format."
            )
        if place.suffix != ".parquet" or place.is_dir():
            _check_card(place)
            return True
    elif place.is_dir():
        raise ConfigError(f"--to {place} is a folder; name a file in it, such as {place / 'rows.jsonl'}.")
    return False


def _check_card(folder: Path) -> None:
    from terminal_lego.report.card import MARK

    card = folder / "README.md"
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--to {folder} is a file; name a folder, or a file that ends in .parquet.")
    if card.exists() and MARK.encode() not in card.read_bytes():
        raise ConfigError(f"--to {folder} has a README.md that is not a data card; name another folder.")


def _some(trajectories: "Iterable[Trajectory]") -> "Iterator[Trajectory]":
    """Raises:
    TrajectoryError: there is none.
    """
    rest = iter(trajectories)
    for first in rest:
        return chain([first], rest)
    raise TrajectoryError("no trajectory is left to write; loosen --select, or name other sources.")


def _write_data_set(trajectories: "Iterable[Trajectory]", folder: Path, facts: "CardFacts") -> str:
    """The data file and its card, as the hub wants them."""
    from terminal_lego import formats
    from terminal_lego.report.card import DATA_FILE, card

    def counted() -> "Iterator[Trajectory]":
        for trajectory in trajectories:
            facts.add(trajectory)
            yield trajectory

    facts.digest = formats.write_parquet(counted(), folder / DATA_FILE)
    facts.title, facts.data_file = folder.absolute().name, DATA_FILE
    (folder / "README.md").write_text(card(facts), encoding="utf-8")
    return facts.digest


def _write(trajectories: "Iterable[Trajectory]", form: str, place: Path) -> str | None:
    from terminal_lego import formats

    if form == "parquet":
        return formats.write_parquet(trajectories, place)
    if form == "atif":
        for number, trajectory in enumerate(trajectories, start=1):
            name = re.sub(r"[^\w.-]+", "_", trajectory.id, flags=re.ASCII)[-_LONGEST_NAME:]
            formats.write_atif(trajectory, place / f"{number:06}-{name}.json")
        return None
    {"messages": formats.write_messages, "sharegpt": formats.write_sharegpt}[form](trajectories, place)
    return None
