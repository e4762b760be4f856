"""`terminal-lego student card|export|push`: what becomes of a finished run's student."""

import argparse
from pathlib import Path

_RUN = "a run directory, such as runs/<recipe>/<time>"


def add(rooms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = rooms.add_parser("student", help="the student of a finished run: card, export, push")
    actions = parser.add_subparsers(required=True, metavar="action")

    card = actions.add_parser(
        "card",
        help="a model card (README.md): what it was taught, with what, and how it scores",
        description="Writes RUN/student/README.md from what the run recorded.",
    )
    card.add_argument("run_directory", metavar="RUN", help=_RUN)
    card.set_defaults(run=_card)

    export = actions.add_parser(
        "export",
        help="one folder that vLLM and transformers load",
        description="Writes weights (adapters merged into their base), tokenizer, chat template, generation "
        "config and card; loads them again and compares them with the run's. Needs memory for all weights in "
        "float32.",
    )
    export.add_argument("run_directory", metavar="RUN", help=_RUN)
    export.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new or empty")
    export.add_argument(
        "--base",
        metavar="MODEL",
        help="where the base of the adapters is, if it was moved; that it is the same one is not checked",
    )
    export.set_defaults(run=_export)

    push = actions.add_parser(
        "push",
        help="to the Hugging Face hub",
        description="Uploads a run's student as it is, or a folder that export made. Files of weights that "
        "an earlier push left there go. The token is that of `hf auth login` or HF_TOKEN.",
    )
    push.add_argument("place", metavar="RUN_OR_FOLDER")
    push.add_argument("name", metavar="org/name")
    push.add_argument("--private", action="store_true", help="seen by the organisation alone")
    push.set_defaults(run=_push)


def _card(chosen: argparse.Namespace) -> int:
    from terminal_lego.student.card import write_card
    from terminal_lego.student.run import read_run

    print(f"Written to {write_card(read_run(chosen.run_directory))}")
    return 0


def _export(chosen: argparse.Namespace) -> int:
    from terminal_lego.student.export import export
    from terminal_lego.student.probe import TOKENS
    from terminal_lego.student.run import read_run

    made = export(read_run(chosen.run_directory), chosen.out, chosen.base)
    moved = "" if made.moved is None else f" (teaching moved them by {made.moved:.1e})"
    print(f"Written to {made.folder}, weights in {made.dtype}")
    print(
        f"Checked: stop token, chat template, and the logits of {TOKENS} tokens, which are {made.away:.1e} "
        f"of the largest one away from the student as trained{moved}."
    )
    print(f"Serve it: vllm serve {made.folder}")
    return 0


def _push(chosen: argparse.Namespace) -> int:
    from terminal_lego.student.push import push

    print(f"Pushed to {push(chosen.place, chosen.name, private=chosen.private)}")
    return 0
