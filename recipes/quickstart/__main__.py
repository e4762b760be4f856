"""Remakes what the quickstart recipe ships, and shows its world.

python -m recipes.quickstart tasks heldout build/heldout     write a split's tasks to a folder
python -m recipes.quickstart verify heldout                  oracle 1, untouched 0, in Docker
python -m recipes.quickstart collect                         both teachers' trajectories, in Docker
python -m recipes.quickstart base                            tokenizer and drilled base student
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from recipes.quickstart.world import SIZES, write_tasks
from terminal_lego.errors import TerminalLegoError

HERE = Path(__file__).parent


def main() -> int:
    arguments = _parser().parse_args()
    try:
        return arguments.run(arguments)
    except TerminalLegoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        return 130


def _tasks(arguments: argparse.Namespace) -> int:
    tasks = write_tasks(arguments.split, arguments.folder, arguments.count)
    print(f"{len(tasks)} tasks in {arguments.folder}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from recipes.quickstart.verify import verify

    with tempfile.TemporaryDirectory() as folder:
        tasks = write_tasks(arguments.split, Path(folder, "tasks"))
        if arguments.sample is not None:
            tasks = random.Random(0).sample(tasks, arguments.sample)
        faults = verify(tasks, Path(folder, "trials"), arguments.concurrency)
    for fault in faults:
        print(fault)
    print(f"{len(tasks)} tasks of {arguments.split}: {len(faults)} faults")
    return 1 if faults else 0


def _collect(arguments: argparse.Namespace) -> int:
    from recipes.quickstart.collect import collect

    matched = collect(arguments.out, arguments.work, arguments.count, arguments.concurrency)
    print(f"{matched} tasks that both teachers solved, in {arguments.out}")
    return 0


def _base(arguments: argparse.Namespace) -> int:
    from recipes.quickstart.drill import build

    accuracy = build(arguments.folder, arguments.seed)
    print(f"{arguments.folder}: continues {accuracy:.1%} of copied spans rightly")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m recipes.quickstart", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)

    tasks = commands.add_parser("tasks", help="write a split's tasks to a folder")
    tasks.add_argument("split", choices=SIZES)
    tasks.add_argument("folder", type=Path)
    tasks.add_argument("--count", type=int, help="only the first so many")
    tasks.set_defaults(run=_tasks)

    check = commands.add_parser("verify", help="oracle 1, untouched 0, in Docker")
    check.add_argument("split", choices=SIZES)
    check.add_argument("--sample", type=int, help="a seeded sample of so many")
    check.add_argument("--concurrency", type=int, default=4)
    check.set_defaults(run=_verify)

    collect = commands.add_parser("collect", help="both teachers' trajectories, in Docker")
    collect.add_argument("--out", type=Path, default=HERE / "trajectories")
    collect.add_argument("--work", type=Path, default=Path("build/quickstart"), help="tasks and trials")
    collect.add_argument("--count", type=int, help="only the first so many tasks")
    collect.add_argument("--concurrency", type=int, default=4)
    collect.set_defaults(run=_collect)

    base = commands.add_parser("base", help="tokenizer and drilled base student")
    base.add_argument("--folder", type=Path, default=HERE / "base")
    base.add_argument("--seed", type=int, default=0)
    base.set_defaults(run=_base)
    return parser


if __name__ == "__main__":
    sys.exit(main())
