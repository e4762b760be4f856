"""What `card` and `convert` share: what was asked for, and a selection that the card can give account of."""

import argparse
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.cli.selecting import selected, selection_config
from terminal_lego.cli.sources import told

if TYPE_CHECKING:
    from terminal_lego.formats import SetAside
    from terminal_lego.report.card import CardFacts
    from terminal_lego.trajectory import Trajectory

_PATHS = ("benchmark", "tokenizer", "chat_template", "to")
_WORDS = ("format",)


def begun(chosen: argparse.Namespace, action: str) -> "CardFacts":
    """A card's facts before anything is read.

    Raises:
        StudentError: the tokenizer cannot be loaded.
    """
    from terminal_lego.rendering.tokenizer import load_tokenizer
    from terminal_lego.report.card import CardFacts

    return CardFacts(
        title=", ".join(dict.fromkeys(map(_title, chosen.sources))),
        sources=chosen.sources,
        command=_command(chosen, action),
        tokenizer=load_tokenizer(chosen.tokenizer, chosen.chat_template) if chosen.tokenizer else None,
        tokenizer_name=chosen.tokenizer or "",
        set_aside=Counter(),
    )


def _title(source: str) -> str:
    path = Path(source).absolute()
    return (path.name if path.is_dir() else path.stem) or source


def contents(chosen: argparse.Namespace, facts: "CardFacts") -> "Iterable[Trajectory]":
    """What SOURCE holds, selected; `facts` learns what was left out. Without --select it streams.

    Raises:
        ConfigError: --select asks for what cannot be; before anything is read where that can be known.
    """
    config = selection_config(chosen)
    trajectories = told(_noted(chosen.sources, facts), "read")
    if config is None:
        return trajectories
    selection = selected(trajectories, config, facts.length if facts.tokenizer else None)
    facts.funnel, facts.losses = selection.funnel, selection.losses
    facts.decontamination, facts.drops_contaminated = selection.decontamination, config.drop_contaminated
    return selection.kept


def _noted(sources: Iterable[str], facts: "CardFacts") -> "Iterator[Trajectory | SetAside]":
    from terminal_lego.formats import SetAside, iter_trajectories

    for source in sources:
        for item in iter_trajectories(source):
            if isinstance(item, SetAside) and facts.set_aside is not None:
                facts.set_aside[item.reason] += 1
            yield item


def _command(chosen: argparse.Namespace, action: str) -> str:
    from terminal_lego.report.card import shortened

    typed = ["terminal-lego", "trajectories", action, *map(shortened, chosen.sources)]
    given = vars(chosen)
    for name in (*_WORDS, *_PATHS):
        if value := given.get(name):
            typed += [f"--{name.replace('_', '-')}", value if name in _WORDS else shortened(str(value))]
    if chosen.select:
        typed += ["--select", *map(_pair, chosen.select)]
    return shlex.join(typed).replace("\n", " ")


def _pair(pair: str) -> str:
    from terminal_lego.report.card import shortened

    key, equals, value = pair.partition("=")
    return key + equals + (shortened(value) if key == "decontaminate" else value)
