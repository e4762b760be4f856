"""`--select`: a recipe's selection, applied to what the sources hold."""

import argparse
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from terminal_lego.cli.settings import add_settings, settings
from terminal_lego.errors import ConfigError

if TYPE_CHECKING:
    from terminal_lego.curation import Selection, SelectionConfig
    from terminal_lego.trajectory import Trajectory


def add_selection(parser: argparse.ArgumentParser) -> None:
    add_settings(
        parser, "--select", "keep what a recipe's `selection:` would, such as outcome=passed complete=true"
    )


def add_tokenizer(parser: argparse.ArgumentParser, purpose: str) -> None:
    parser.add_argument("--tokenizer", metavar="NAME", help=f"a model folder or hub name, {purpose}")
    parser.add_argument("--chat-template", metavar="FILE", help="instead of the tokenizer's own")


def selection_config(chosen: argparse.Namespace) -> "SelectionConfig | None":
    """None without --select: everything is kept.

    Raises:
        ConfigError: --select asks for what cannot be.
    """
    from terminal_lego.curation import SelectionConfig

    if not chosen.select:
        return None
    config = settings(SelectionConfig, chosen.select, "--select")
    if config.max_tokens is not None and not chosen.tokenizer:
        raise ConfigError(f"--select max_tokens={config.max_tokens} counts tokens: name a --tokenizer.")
    return config


def selected(
    trajectories: "Iterable[Trajectory]",
    config: "SelectionConfig",
    tokens: "Callable[[Trajectory], int] | None",
) -> "Selection":
    """Takes all trajectories, selects, prints the funnel."""
    from rich.console import Console

    from terminal_lego.curation import funnel_table, select

    selection = select(list(trajectories), config, tokens=tokens)
    Console().print(funnel_table(selection.funnel))
    return selection
