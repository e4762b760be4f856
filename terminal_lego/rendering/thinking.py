"""What becomes of a teacher's thoughts: the reply as the student writes it, and as later turns read it.

A server has two ways with thoughts. Left in the reply's text, they come back with the history: `keep` trains
for that. Taken out by a reasoning parser, or by a template that forgets them, they are read by no later
turn: `last_turn` trains for that, with one example per reply. `off` trains no thoughts at all.

A thought is spelt as Qwen3 spells it, a missing one as an empty block. Only a turn's separate reasoning is
put there: a reply whose own text begins with a thought is what the model wrote, and stays as it is (at most
its opening tag is put back, which some servers keep to the prompt). With `last_turn`, later turns read it
without that thought.
"""

import re
from collections.abc import Collection
from dataclasses import replace

from terminal_lego.errors import UntrainableError
from terminal_lego.rendering.masks import TurnMask
from terminal_lego.trajectory import Message, Trajectory, Turn

OFF, KEEP, LAST_TURN = THINKING = ("off", "keep", "last_turn")
OPEN, CLOSE = "<think>", "</think>"
NO_THOUGHT = f"{OPEN}\n\n{CLOSE}\n\n"

_SWITCH = "enable_thinking"
_PINNED = re.compile(rf"\A\{{%- set {_SWITCH} = \w+ -%\}}\n")


def pinned(template: str, thinking: str) -> str:
    """The template with its thinking switch, where it has one, set for good: no server can turn it over."""
    template = _PINNED.sub("", template)
    if _SWITCH not in template:
        return template
    return f"{{%- set {_SWITCH} = {str(thinking != OFF).lower()} -%}}\n{template}"


def spoken(turn: Turn, place: str = "") -> str:
    """The reply with its thought in front.

    Raises:
        UntrainableError: the thought itself holds the text of a tag, so that nobody can tell where it ends.
    """
    if own := turn.reply[: _own_thought(turn.reply)]:
        return turn.reply if OPEN in own else f"{OPEN}\n{turn.reply}"
    thought = (turn.reasoning or "").strip("\n")
    if OPEN in thought or CLOSE in thought:
        raise UntrainableError(
            f"{place}: the thought holds the text {OPEN} or {CLOSE}; nobody can tell where it ends.",
            "a thought holds a thinking tag",
        )
    # Servers that took the thought out leave the line breaks after it to the reply.
    breaks = len(turn.reply) - len(turn.reply.lstrip("\n"))
    return f"{OPEN}\n{thought}\n{CLOSE}" + "\n" * max(2 - breaks, 0) + turn.reply


def silent(reply: str) -> str:
    """The reply without the thought that its own text begins with, and without the line breaks after one."""
    return reply[_own_thought(reply) :].lstrip("\n")


def written(trajectory: Trajectory, thinking: str, turns: Collection[int]) -> dict[int, str]:
    """What the student writes at each of these turns."""
    if thinking == OFF:
        return {turn: trajectory.turns[turn].reply for turn in turns}
    return {turn: spoken(trajectory.turns[turn], f"{trajectory.id}: turn {turn}") for turn in turns}


def history(trajectory: Trajectory, thinking: str) -> list[Message]:
    """The chat as later turns read it."""
    messages = trajectory.messages()
    for turn, message in zip(trajectory.turns, messages[1::2], strict=True):
        if thinking == KEEP:
            message["content"] = spoken(turn, trajectory.id)
        elif thinking == LAST_TURN:
            message["content"] = silent(turn.reply)
    return messages


def shifted(mask: TurnMask, characters: int) -> TurnMask:
    """The mask of a reply that has so many characters more in front (negative: fewer)."""
    if not characters or not mask.parts:
        return mask
    return TurnMask(
        mask.weight,
        tuple(replace(part, start=part.start + characters, end=part.end + characters) for part in mask.parts),
    )


def _own_thought(reply: str) -> int:
    """Characters of the thought that the reply's own text begins with; its opening tag may be missing."""
    thought, tag, rest = reply.partition(CLOSE)
    text = reply.lstrip()
    opened = OPEN not in thought and not text.startswith("{") and rest.lstrip().startswith("{")
    return len(reply) - len(rest.lstrip("\n")) if tag and (opened or text.startswith(OPEN)) else 0
