"""A trial as JSON values: its cell in the grid, and the body that is unpacked when it is opened."""

from collections.abc import Sequence
from typing import Any

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.loading import dig, number
from terminal_lego.report.inspector import Entry
from terminal_lego.report.inspector.content import body as inspected
from terminal_lego.report.safe_text import visible_everywhere
from terminal_lego.report.trials.attempt import TAIL_CHARACTERS, Attempt, seconds
from terminal_lego.trajectory import Trajectory, Turn


def cell_and_body(attempt: Attempt) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the grid shows and filters by, and everything else."""
    segments, unread = _segments(attempt)
    return _cell(attempt, segments), _body(attempt, segments, unread)


def _segments(attempt: Attempt) -> tuple[list[Trajectory], str]:
    """The conversation, or why there is none."""
    try:
        return attempt.conversation(), ""
    except TrajectoryError as error:
        return [], str(error)


def _cell(attempt: Attempt, segments: Sequence[Trajectory]) -> dict[str, Any]:
    turns = [turn for segment in segments for turn in segment.turns if not turn.is_copied]
    used = {
        name: _whole(dig(attempt.result, "agent_result", f"n_{key}_tokens"), turns, f"{name}_tokens")
        for name, key in (("prompt", "input"), ("completion", "output"))
    }
    return visible_everywhere(
        {
            "task": attempt.task,
            "trial": attempt.name,
            "model": attempt.model or (segments[0].model if segments else ""),
            "outcome": attempt.outcome,
            "error": attempt.error or (segments[0].exception if segments else None),
            "reward": attempt.reward,
            "turns": len(turns) if segments else None,
            **used,
            "seconds": attempt.agent_seconds,
        }
    )


def _whole(recorded: Any, turns: Sequence[Turn], name: str) -> int | None:
    """As the result has it, else the sum over the turns that know."""
    if (total := number(recorded)) is not None:
        return int(total)
    known = [count for turn in turns if (count := getattr(turn, name)) is not None]
    return sum(known) if known else None


def _body(attempt: Attempt, segments: Sequence[Trajectory], unread: str) -> dict[str, Any]:
    phases = ("environment_setup", "agent_setup", "agent_execution", "verifier")
    return {
        "segments": [_segment(segment) for segment in segments],
        **visible_everywhere(
            {
                "unread": unread,
                "rewards": [[name, value] for name, value in attempt.rewards.items()],
                "verifier": attempt.verifier_output,
                "message": attempt.message,
                "traceback": attempt.traceback,
                "is_tail": len(attempt.verifier_output) >= TAIL_CHARACTERS,
                "phases": [
                    [phase.replace("_", " "), took]
                    for phase in phases
                    if (took := seconds(dig(attempt.result, phase))) is not None
                ],
                "folder": str(attempt.folder),
            }
        ),
    }


def _segment(trajectory: Trajectory) -> dict[str, Any]:
    """As the inspector shows it, without tokens and without classes of commands."""
    shown = inspected(Entry(trajectory))
    for turn, values in zip(trajectory.turns, shown["turns"], strict=True):
        values["used"] = [turn.prompt_tokens, turn.completion_tokens, turn.seconds]
        values["cut"] = turn.finish_reason == "length"
    return shown
