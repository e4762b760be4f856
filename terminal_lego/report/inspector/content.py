"""One trajectory as JSON values: a row of the list, and the body that is unpacked when it is opened."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from terminal_lego.errors import RenderError
from terminal_lego.grounding.event import Event
from terminal_lego.grounding.shell.typed import raw_span
from terminal_lego.grounding.tor import actions
from terminal_lego.rendering.masks import LABELS
from terminal_lego.report.inspector.entry import Entry, ReplyTokens
from terminal_lego.report.inspector.pieces import Mark, owner, runs
from terminal_lego.report.safe_text import visible, visible_everywhere
from terminal_lego.trajectory import Trajectory, Turn


def row(entry: Entry) -> dict[str, Any]:
    """What the list shows, filters and sorts by."""
    trajectory = entry.trajectory
    replies = [turn.parsed for turn in trajectory.turns]
    return visible_everywhere(
        {
            "id": trajectory.id,
            "task": trajectory.task,
            "model": trajectory.model,
            "reward": _number(trajectory.reward),
            "outcome": _outcome(trajectory),
            "tor": _number(entry.tor),
            "turns": len(trajectory.turns),
            "tokens": entry.tokens,
            "dropped": entry.dropped,
            "errors": sum(bool(reply.error) for reply in replies),
            "warnings": sum(bool(reply.warning) for reply in replies),
        }
    )


def body(entry: Entry) -> dict[str, Any]:
    """Everything else.

    Raises:
        RenderError: the tokens given do not spell the replies.
    """
    counted = set(actions(entry.events))
    tokens = _tokens(entry)
    marks = _marks(entry)
    return {
        "prompt": visible(entry.trajectory.prompt),
        "turns": [_turn(entry, number, marks, own) for number, own in enumerate(tokens)],
        "events": [
            {
                "kind": event.kind,
                "at": owner(event.start, event.start + 1, marks[event.turn, event.command]),
                "support": entry.links.get(index),
                "unsupported": index in counted and index not in entry.links,
                "about": visible(_about(event)),
            }
            for index, event in enumerate(entry.events)
        ],
        "actions": len(counted),
        "supported": len(entry.links),
        "facts": visible_everywhere(_facts(entry.trajectory)),
        "masked": entry.replies is not None,
        "weighed": any(weight not in (0, 1) for own in tokens for weight in own.weights),
    }


def _marks(entry: Entry) -> defaultdict[tuple[int, int], list[Mark]]:
    """What each (turn, command) holds, by its keystrokes; of commands in one place actions come first."""
    marks: defaultdict[tuple[int, int], list[Mark]] = defaultdict(list)
    for index, event in sorted(enumerate(entry.events), key=lambda item: LABELS.index(item[1].kind)):
        marks[event.turn, event.command].append(Mark(event.start, event.end, index))
    return marks


def _turn(
    entry: Entry, number: int, marks: Mapping[tuple[int, int], list[Mark]], tokens: ReplyTokens
) -> dict[str, Any]:
    turn = entry.trajectory.turns[number]
    reply = turn.parsed
    known = entry.replies is not None
    commands = [(command, marks[number, index]) for index, command in enumerate(reply.commands)]
    raw = [
        Mark(*raw_span(turn.reply, command, mark.start, mark.end), mark.event)
        for command, own in commands
        for mark in own
    ]
    return {
        "reply": runs(turn.reply, raw, tokens),
        "tokens": len(tokens.weights) if known else None,
        "trained": sum(weight > 0 for weight in tokens.weights) if known else None,
        "commands": [
            [
                runs(command.keystrokes, own, ReplyTokens([len(command.keystrokes)], [1.0])),
                f"{command.duration:g}",
            ]
            for command, own in commands
        ],
        **visible_everywhere(
            {
                "analysis": reply.analysis,
                "plan": reply.plan,
                "complete": reply.task_complete,
                "error": reply.error,
                "warning": reply.warning,
                "reasoning": turn.reasoning or "",
                "observation": turn.observation,
                "notes": _notes(turn),
            }
        ),
    }


def _tokens(entry: Entry) -> list[ReplyTokens]:
    """The tokens of each turn's reply, which must spell it; a single one where they are not known."""
    written = [len(turn.reply) for turn in entry.trajectory.turns]
    known = entry.replies is not None
    replies = list(entry.replies) if known else [ReplyTokens([length], [1.0]) for length in written]
    if (spelled := [sum(tokens.lengths) for tokens in replies]) != written:
        raise RenderError(
            f"{entry.trajectory.id}: the tokens of the replies spell {spelled} characters, the replies have "
            f"{written}; give the tokens of every reply as it was written."
        )
    return replies


def _about(event: Event) -> str:
    """One line on a command, for whoever points at it."""
    parts = [event.kind, event.program]
    parts += [
        f"{verb} {', '.join(paths)}"
        for verb, paths in (("reads", event.reads), ("changes", event.writes))
        if paths
    ]
    return " · ".join(filter(None, [*parts, "failed" if event.failed else ""]))


def _notes(turn: Turn) -> list[str]:
    notes = {
        "Copied from another trajectory.": turn.is_copied,
        "Reconstructed: the source did not keep the reply as it was written.": not turn.is_raw,
    }
    return [note for note, holds in notes.items() if holds]


def _facts(trajectory: Trajectory) -> list[list[str]]:
    agent = f"{trajectory.agent} {trajectory.agent_version}".strip()
    extra = json.dumps(trajectory.extra, indent=1, ensure_ascii=False) if trajectory.extra else ""
    facts = [
        ["id", trajectory.id],
        ["model", trajectory.model],
        ["agent", agent],
        ["source", trajectory.source],
        ["ended by", trajectory.exception or ""],
        ["extra", extra],
    ]
    return [[name, value] for name, value in facts if value]


def _outcome(trajectory: Trajectory) -> str:
    if trajectory.reward is None:
        return "none"
    return "passed" if trajectory.reward >= 1 else "failed"


def _number(value: float | None) -> float | str | None:
    """A number that JSON can hold, or its name."""
    return value if value is None or math.isfinite(value) else str(value)
