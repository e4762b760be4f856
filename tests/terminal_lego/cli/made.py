"""Small sources and replies for the tests of the command line."""

import json
from collections.abc import Sequence
from pathlib import Path

from terminal_lego.formats import write_parquet
from terminal_lego.trajectory import Trajectory, Turn

PROMPT = "Answer with JSON.\n\nTask Description:\n{}\n\n\nCurrent terminal state:\nroot@host:/app# "


def reply(*lines: str, done: bool = False) -> str:
    commands = [{"keystrokes": f"{line}\n", "duration": 0.1} for line in lines]
    return json.dumps({"analysis": "a", "plan": "p", "commands": commands, "task_complete": done})


def made(id: str = "1", model: str = "teacher", *, text: str = "Do it.", lines: Sequence[str] = (), **given):
    """A trajectory that types one line per turn and then says that it is done; it passed."""
    turns = [Turn(reply(line), f"root@host:/app# {line}\nroot@host:/app# ") for line in lines]
    turns.append(Turn(reply(done=True), "Are you sure?"))
    given = {"reward": 1.0, "agent_version": "2.0.0", "source": "jobs/one", **given}
    return Trajectory(id, f"task-{id}", model, PROMPT.format(text), tuple(turns), **given)


def write(path: Path, *trajectories: Trajectory) -> str:
    write_parquet(trajectories, path)
    return str(path)


def chat_row(model: str, replies: int, reward: float | None) -> str:
    chat = [{"role": "user", "content": "start"}]
    for _ in range(replies):
        chat += [{"role": "assistant", "content": "{}"}, {"role": "user", "content": "screen"}]
    return json.dumps({"messages": chat[:-1], "model": model, "task": "t", "reward": reward})
