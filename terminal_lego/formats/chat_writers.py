"""Chat rows for other trainers: JSON Lines with `messages` (TRL) or `conversations` (LLaMA-Factory)."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from terminal_lego.formats.drafts import drafted
from terminal_lego.formats.loading import check_text
from terminal_lego.trajectory import Message, Trajectory

_SPEAKERS = {"user": "human", "assistant": "gpt"}


def write_messages(trajectories: Iterable[Trajectory], path: str | Path) -> int:
    """Write rows of `messages` (role user or assistant, content), and return how many.

    Beside them: id, task, model, reward, source, and `is_raw`, false when a reply is not what the model
    wrote and the row is therefore not to be taught from. Prompts and replies are kept byte for byte. The
    last observation is left out: it follows the last reply and no model was shown it. Marks of copied
    turns, counts and times have no place here; Parquet keeps everything.

    Raises:
        TrajectoryError: one holds something that is not text.
    """
    return _write(trajectories, path, lambda chat: {"messages": chat})


def write_sharegpt(trajectories: Iterable[Trajectory], path: str | Path) -> int:
    """The same with `conversations` (from human or gpt, value)."""
    return _write(trajectories, path, _sharegpt)


def _sharegpt(chat: list[Message]) -> dict[str, Any]:
    said = [{"from": _SPEAKERS[message["role"]], "value": message["content"]} for message in chat]
    return {"conversations": said}


def _write(
    trajectories: Iterable[Trajectory], path: str | Path, chat: Callable[[list[Message]], dict[str, Any]]
) -> int:
    count = 0
    with drafted(path) as draft, draft.open("w", encoding="utf-8", newline="\n") as file:
        for trajectory in map(check_text, trajectories):
            count += 1
            row = chat(trajectory.messages()) | {
                "id": trajectory.id,
                "task": trajectory.task,
                "model": trajectory.model,
                "reward": trajectory.reward,
                "source": trajectory.source,
                "is_raw": all(turn.is_raw for turn in trajectory.turns),
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count
