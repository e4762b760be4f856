"""Writing ATIF-v1.8, raw-content form: the message is the reply itself, the observation the next prompt."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from terminal_lego.formats.atif_schema import OWN, Own
from terminal_lego.formats.drafts import drafted
from terminal_lego.formats.loading import check_text
from terminal_lego.trajectory import Trajectory, Turn


@dataclass(frozen=True)
class Links:
    """What a document says beyond its own conversation.

    Attributes:
        session: the run's name; None for the trajectory's id.
        opening: the user messages it begins with, where the model saw more than one; the trajectory's
            prompt is these with a blank line between them.
        metrics: per turn, further ATIF metrics such as token ids.
        agent: further fields of the agent's `extra`.
        subagents: session id and file of each conversation that made the summary at this one's end.
        continued_in: file name of the next segment.
    """

    session: str | None = None
    opening: tuple[str, ...] = ()
    metrics: tuple[Mapping[str, Any], ...] = ()
    agent: Mapping[str, Any] = field(default_factory=dict)
    subagents: tuple[tuple[str, str], ...] = ()
    continued_in: str | None = None


def write_atif(trajectory: Trajectory, path: str | Path, links: Links | None = None) -> None:
    """Write one ATIF-v1.8 file in raw-content form; `read_trajectories` gives back the same trajectory."""
    document = _document(check_text(trajectory), links or Links())
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    with drafted(path) as draft:
        draft.write_bytes(text.encode("utf-8"))


def _document(trajectory: Trajectory, links: Links) -> dict[str, Any]:
    metrics = links.metrics or [{}] * len(trajectory.turns)
    steps = [{"source": "user", "message": text} for text in links.opening or (trajectory.prompt,)]
    for turn, more in zip(trajectory.turns, metrics, strict=True):
        steps.append(_step(turn, trajectory.model, more))
    if links.subagents:
        steps.append(_summary_step(links.subagents))
    own = {name: getattr(trajectory, name) for name in Own.model_fields}
    return _without_nulls(
        {
            "schema_version": "ATIF-v1.8",
            "session_id": links.session or trajectory.id,
            "trajectory_id": trajectory.id,
            "agent": {
                "name": trajectory.agent,
                "version": trajectory.agent_version,
                "model_name": trajectory.model or None,
                "extra": {"parser": trajectory.extra.get("parser", "json"), **links.agent},
            },
            "steps": [{"step_id": number} | step for number, step in enumerate(steps, start=1)],
            "final_metrics": _without_nulls(
                {
                    "total_prompt_tokens": _total(turn.prompt_tokens for turn in trajectory.turns),
                    "total_completion_tokens": _total(turn.completion_tokens for turn in trajectory.turns),
                    "total_cached_tokens": _total(more.get("cached_tokens") for more in metrics),
                    "total_steps": len(steps),
                }
            ),
            "continued_trajectory_ref": links.continued_in,
            "extra": {OWN: _without_nulls(own)},
        }
    )


def _step(turn: Turn, model: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    tokens = {"prompt_tokens": turn.prompt_tokens, "completion_tokens": turn.completion_tokens, **metrics}
    extra = {
        "seconds": turn.seconds,
        "is_raw": None if turn.is_raw else False,
        "finish_reason": turn.finish_reason,
    }
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


def _summary_step(subagents: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    references = [{"session_id": session, "trajectory_path": file} for session, file in subagents]
    return {
        "source": "system",
        "message": "A summary takes the place of the conversation.",
        "observation": {"results": [{"subagent_trajectory_ref": references}]},
        "extra": {"context_management": {"type": "compaction", "boundary": "replace"}},
    }


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _without_nulls(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}
