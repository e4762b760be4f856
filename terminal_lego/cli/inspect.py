"""`terminal-lego trajectories inspect SOURCE…`: one page to look at them, or one of them as text."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from terminal_lego.cli.selecting import add_selection, add_tokenizer, selected, selection_config
from terminal_lego.cli.settings import add_settings, settings
from terminal_lego.cli.sources import add_sources, read_all
from terminal_lego.errors import StudentError, TrajectoryError, UntrainableError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from terminal_lego.curation import Selection
    from terminal_lego.rendering.masks import MaskConfig
    from terminal_lego.trajectory import Trajectory


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = actions.add_parser(
        "inspect",
        help="one HTML page: turns, screens, commands by class, what supports what, the loss mask",
        description="Writes one self-contained HTML page, or prints one trajectory with --text.",
    )
    add_sources(parser)
    add_selection(parser)
    add_settings(parser, "--mask", "show a recipe's `mask:`, such as hide=[observation] unit=span")
    add_tokenizer(parser, "to show the very tokens, and for max_tokens")
    parser.add_argument("--out", type=Path, default=Path("inspect.html"), help="the page (%(default)s)")
    parser.add_argument(
        "--text", metavar="ID", nargs="?", const="", help="print this trajectory (or the first) with its mask"
    )
    parser.set_defaults(run=_run)


def _run(chosen: argparse.Namespace) -> int:
    from terminal_lego.rendering.masks import MaskConfig
    from terminal_lego.rendering.tokenizer import load_tokenizer

    mask = settings(MaskConfig, chosen.mask, "--mask")
    tokenizer = load_tokenizer(chosen.tokenizer, chosen.chat_template) if chosen.tokenizer else None
    selection = _selection(chosen, tokenizer)
    if chosen.text is not None:
        return _print_one(chosen.text, selection.kept, tokenizer, mask)
    from terminal_lego.report.inspector import write_inspector
    from terminal_lego.report.inspector.entries import entries

    title = ", ".join(Path(source).name for source in chosen.sources)
    page = write_inspector(entries(selection, mask, tokenizer), chosen.out, title=title)
    print(f"{len(selection.kept):,} kept, {len(selection.dropped):,} dropped: {page}")
    return 0


def _selection(chosen: argparse.Namespace, tokenizer: "PreTrainedTokenizerBase | None") -> "Selection":
    from terminal_lego.curation import Selection
    from terminal_lego.rendering.render import count_tokens

    def tokens(trajectory: "Trajectory") -> int:
        return count_tokens(trajectory, tokenizer)

    config = selection_config(chosen)
    trajectories = read_all(chosen.sources)
    if config is None:
        return Selection(list(trajectories), [], [])
    return selected(trajectories, config, tokens if tokenizer else None)


def _print_one(
    wanted: str,
    trajectories: "Sequence[Trajectory]",
    tokenizer: "PreTrainedTokenizerBase | None",
    mask: "MaskConfig",
) -> int:
    """The first trajectory whose id holds `wanted`, as its tokens."""
    from rich.console import Console

    from terminal_lego.rendering.render import render_all
    from terminal_lego.report.masked_text import masked_text

    if tokenizer is None:
        raise StudentError("--text shows tokens: name the student's with --tokenizer.")
    found = next((trajectory for trajectory in trajectories if wanted in trajectory.id), None)
    if found is None:
        raise TrajectoryError(f"--text {wanted}: no trajectory that was kept has this in its id.")
    for _, example in render_all([found], tokenizer, mask):
        if isinstance(example, UntrainableError):
            raise example
        Console().print(masked_text(example, tokenizer), soft_wrap=True)
    return 0
