"""Recipes at their smallest: data laid out as released, the tiny student, two steps, a stop after the first.

As a script in a folder of its own, `two_steps.py RECIPE...` runs them one after the other: DeepSpeed leaves
its marks on a process, so those with parallel.engine=ddp come first.
"""

import json
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest

from terminal_lego.trajectory import Trajectory
from tests.train.scripted import conversations
from train import compose, processes
from train.interruption import Stopped
from train.pipeline import run
from train.progress import TrainingProgress

TASKS = 12
SCRIPTS = {
    "deepseek": "inspector",
    "glm": "guesser",
    "qwen": "inspector",
    "claude": "guesser",
    "claude_inspect_first": "inspector",
}
LOOK_FIRST = "Look around before you act. Change nothing that you have not read.\n\n"
MATCHED, FULL = Path("trajectories/8k"), Path("trajectories/15k")


def write_matched(folder: Path) -> None:
    """One JSON list per teacher, named as the recipes name them; two tasks are not there for all of them."""
    folder.mkdir(parents=True)
    for teacher, script in SCRIPTS.items():
        told = conversations(TASKS + 2, script)
        told = told[:-1] if teacher == "glm" else told[:-2] + told[-1:] if teacher == "qwen" else told
        before = LOOK_FIRST if teacher == "claude_inspect_first" else ""
        rows = [
            {
                "conversations": _said(each, before, "\n" if teacher.startswith("claude") else ""),
                "metadata": {"oracle_passed_task": each.task, "difficulty": "easy"},
            }
            for each in told
        ]
        (folder / f"{teacher}.json").write_text(json.dumps(rows))


def write_full(folder: Path) -> None:
    """One JSON list of passed and failed conversations; a failed one stops before it is done."""
    folder.mkdir(parents=True)
    rows = []
    for number, each in enumerate(conversations(TASKS)):
        failed = number % 4 == 3
        kept = replace(each, turns=each.turns[:1]) if failed else each
        names = {"task_name": each.task, "task_path": f"tasks/{each.task}", "source": "made up"}
        rows.append({"conversations": _said(kept), "metadata": {"reward": float(not failed), **names}})
    (folder / "trajectories.json").write_text(json.dumps(rows))


def _said(trajectory: Trajectory, before: str = "", reply_start: str = "") -> list[dict[str, str]]:
    """In the data set's words for who speaks, under the headings that its harness uses in the prompt."""
    prompt = trajectory.prompt.replace("\n# Task\n", "\nTask Description:\n")
    prompt = prompt.replace("\n# Terminal\n", "\nCurrent terminal state:\n")
    _, *chat = trajectory.messages()
    said = [{"from": "human", "value": before + prompt}]
    for message in chat:
        is_reply = message["role"] == "assistant"
        text = reply_start + message["content"] if is_reply else message["content"]
        said.append({"from": "gpt" if is_reply else "human", "value": text})
    return said


def words(recipe: str) -> list[str]:
    """What is typed: the recipe, with the tiny student and the released data where it lies here."""
    typed = [f"recipe={recipe}", "student=tiny", "evaluation=skip", "tracking=local", "cache_dir=cache"]
    typed += ["sft.epochs=null", "sft.max_steps=2", "sft.save_steps=1", "sft.logging_steps=1"]
    return [*typed, f"data.path='deepseek={FULL}'"] if recipe == "deepseek_full" else typed


def start(typed: Sequence[str], folder: Path) -> int:
    """The exit status of `python -m train` with these words."""
    try:
        run(compose.load([*typed, f"run_dir={folder}"]))
    except Stopped as stopped:
        return stopped.status
    return 0


def start_and_stop(typed: Sequence[str], folder: Path) -> int:
    """The same, with a signal at the end of the first step."""
    update = TrainingProgress.update

    def and_stop(progress: TrainingProgress, *shown: object) -> None:
        update(progress, *shown)
        signal.raise_signal(signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingProgress, "update", and_stop)
        return start(typed, folder)


def smoke(recipe: str, folder: Path) -> None:
    """A dry run, a start that is stopped and a second one in `stopped`, one start in `straight`.

    `folder` gets what was printed, starts.json (exit statuses), and between.json: what the stop left.
    """
    typed, stopped = words(recipe), folder / "stopped"
    statuses = {"dry run": start([*typed, "dry_run=true"], stopped)}
    statuses["first"] = start_and_stop(typed, stopped)
    left = [path.name for path in stopped.glob("student/*") if path.name != "checkpoints"]
    left += sorted(path.name for path in stopped.glob("student/checkpoints/*"))
    (folder / "between.json").write_text(json.dumps(left))
    statuses["second"] = start(typed, stopped)
    statuses["straight"] = start(typed, folder / "straight")
    (folder / "starts.json").write_text(json.dumps(statuses))


def main(recipes: Sequence[str]) -> None:
    write_matched(MATCHED)
    write_full(FULL)
    for recipe in recipes:
        folder = Path(recipe).resolve()
        folder.mkdir()
        with (folder / "printed.txt").open("w") as file, redirect_stdout(file):
            try:
                smoke(recipe, folder)
            except Exception:  # the other recipes are still of interest
                print(f"{recipe}:", traceback.format_exc(), file=sys.stderr)
    processes.leave()


if __name__ == "__main__":
    main(sys.argv[1:])
