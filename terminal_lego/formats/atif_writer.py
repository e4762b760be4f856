"""Writing ATIF-v1.8, raw-content form: the message is the reply itself, the observation the next prompt."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from terminal_lego.formats.atif_schema import OWN, Own
from terminal_lego.formats.drafts import drafted
from terminal_lego.formats.loading import check_text
from terminal_lego.trajectory import Trajectory, Turn


def write_atif(trajectory: Trajectory, path: str | Path) -> None:
    """Write one ATIF-v1.8 file in raw-content form; `read_trajectories` gives back the same trajectory."""
    text = json.dumps(_document(check_text(trajectory)), indent=2, ensure_ascii=False) + "\n"
    with drafted(path) as draft:
        draft.write_bytes(text.encode("utf-8"))


def _document(trajectory: Trajectory) -> dict[str, Any]:
    steps = [{"source": "user", "message": trajectory.prompt}]
    steps += [_step(turn, trajectory.model) for turn in trajectory.turns]
    own = {name: getattr(trajectory, name) for name in Own.model_fields}
    return _without_nulls(
        {
            "schema_version": "ATIF-v1.8",
            "session_id": trajectory.id,
            "trajectory_id": trajectory.id,
            "agent": {
                "name": trajectory.agent,
                "version": trajectory.agent_version,
                "model_name": trajectory.model or None,
                "extra": {"parser": trajectory.extra.get("parser", "json")},
            },
            "steps": [{"step_id": number} | step for number, step in enumerate(steps, start=1)],
            "final_metrics": _without_nulls(
                {
                    "total_prompt_tokens": _total(turn.prompt_tokens for turn in trajectory.turns),
                    "total_completion_tokens": _total(turn.completion_tokens for turn in trajectory.turns),
                    "total_steps": len(steps),
                }
            ),
            "extra": {OWN: _without_nulls(own)},
        }
    )


def _step(turn: Turn, model: str) -> dict[str, Any]:
    tokens = {"prompt_tokens": turn.prompt_tokens, "completion_tokens": turn.completion_tokens}
    extra = {"seconds": turn.seconds, "is_raw": None if turn.is_raw else False}
    return _without_nulls(
        {
            "source": "agent",
            "model_name": model or None,
            "message": turn.reply,
            "reasoning_content": turn.reasoning,
            "observation": {"results": [{"content": turn.observation}]} if turn.observation else None,
            "metrics": _without_nulls(tokens) or None,
            "is_copied_context": turn.is_copied or None,
            "extra": _without_nulls(extra) or None,
        }
    )


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _without_nulls(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}
