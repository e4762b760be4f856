"""The one in-memory form of a trajectory.

A trajectory is what a Terminus-2 agent and a terminal said to each other about one task: a first
prompt, then turns of one reply and the observation that came back. The reply is the model's raw text,
byte for byte; commands are a view on that text.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from terminal_lego.reply import Command, Reply, parse_reply
from terminal_lego.reply_xml import parse_xml_reply

__all__ = ["Command", "Message", "Trajectory", "Turn"]

Message = dict[str, str]

XML = "xml"
"""`Turn.parser` of an agent that reads replies as XML."""


@dataclass(frozen=True)
class Turn:
    """One reply of the agent and the user message it was answered with.

    Attributes:
        reply: the assistant message exactly as the model wrote it.
        observation: the next user message (screen, feedback or confirmation); empty when none followed.
        is_raw: False when the source kept only a reconstruction of the reply; such a turn can be
            looked at but not taught from.
        is_copied: True for context copied from another trajectory (ATIF `is_copied_context`).
        reasoning: the model's separate reasoning text, when the source kept it.
        prompt_tokens, completion_tokens: as the model's server counted them.
        seconds: time the model took to answer.
        finish_reason: as the server said, "length" for a reply that was cut; None when it is not known.
        parser: json or xml, the format that the agent reads replies in.
    """

    reply: str
    observation: str = ""
    is_raw: bool = True
    is_copied: bool = False
    reasoning: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None
    finish_reason: str | None = None
    parser: str = "json"

    @cached_property
    def parsed(self) -> Reply:
        return (parse_xml_reply if self.parser == XML else parse_reply)(self.reply)

    @property
    def commands(self) -> tuple[Command, ...]:
        return self.parsed.commands


@dataclass(frozen=True)
class Trajectory:
    """A teacher's (or a student's) conversation with a terminal about one task.

    Attributes:
        id: unique within one read, stable across reads (a path, or a file and row).
        task: the task's name; two sources may use one name for different tasks.
        model: who replied, as the source names it (for teaching data: the teacher).
        prompt: the first user message: rules, instruction and first screen.
        turns: in order.
        reward: the verifier's number, None when there is none.
        exception: type name of what ended the trial early, None for a clean end.
        source: file (and row) this was read from.
        agent, agent_version: the harness that recorded it.
        extra: everything else worth keeping (difficulty, split, seed …); JSON values only.
    """

    id: str
    task: str
    model: str
    prompt: str
    turns: tuple[Turn, ...]
    reward: float | None = None
    exception: str | None = None
    source: str = ""
    agent: str = "terminus-2"
    agent_version: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def messages(self) -> list[Message]:
        """The chat as the model saw it: user and assistant strictly alternating, ending with a reply.

        The last observation is left out: it was never sent to the model.
        """
        chat = [{"role": "user", "content": self.prompt}]
        for turn in self.turns:
            chat.append({"role": "assistant", "content": turn.reply})
            chat.append({"role": "user", "content": turn.observation})
        return chat[:-1] if self.turns else chat

    @property
    def declared_done(self) -> bool:
        """Whether the last reply says that the task is complete."""
        return bool(self.turns) and self.turns[-1].parsed.task_complete
