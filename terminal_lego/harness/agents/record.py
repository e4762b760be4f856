"""What a run leaves behind, written while it happens."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from terminal_lego.formats import Links, write_atif
from terminal_lego.harness.agents import AgentResult
from terminal_lego.harness.clients import Completion
from terminal_lego.trajectory import Message, Trajectory, Turn

SUMMARY = ("summary", "questions", "answers")


@dataclass
class _Segment:
    """One document: a conversation in which nothing was taken back."""

    trajectory: Trajectory
    links: Links
    file: str
    sent: list[Message] = field(default_factory=list)


class Record:
    """Writes `agent/trajectory.json` after every turn, and `agent/episode-N/{prompt,response}.txt`.

    When the history was replaced between two turns, the conversation goes on in
    `trajectory.cont-N.json`, which begins with the history as the model saw it, marked as copied. The
    calls for a summary are written to `trajectory.summarization-N-<step>.json`.

    A context manager: whatever ends the run is noted in the trajectory and goes on its way.
    """

    def __init__(self, trial_dir: Path, trajectory: Trajectory) -> None:
        self._folder = trial_dir / "agent"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._run = trajectory
        links = Links(session=trajectory.id)
        self._segment = _Segment(trajectory, links, "trajectory.json")
        self._segments, self._summaries = 0, 0
        self._replies: list[Completion] = []
        self._others: list[Completion] = []
        self._subagents: list[tuple[str, str]] = []

    def reply(
        self, messages: list[Message], completion: Completion, seconds: float, *, is_raw: bool = True
    ) -> None:
        """Add a turn; its observation is still to come.

        Args:
            messages: as they were sent, the prompt included.
            is_raw: False for a text that no model wrote.
        """
        self._follow(messages)
        segment = self._segment
        episode = self._folder / f"episode-{len(self._replies)}"
        episode.mkdir(exist_ok=True)
        (episode / "prompt.txt").write_bytes(messages[-1]["content"].encode())
        (episode / "response.txt").write_bytes(completion.text.encode())
        turns = (*segment.trajectory.turns, replace(_turn(completion, seconds), is_raw=is_raw))
        segment.trajectory = replace(segment.trajectory, turns=turns)
        segment.links = replace(segment.links, metrics=(*segment.links.metrics, _metrics(completion)))
        segment.sent = [*messages, {"role": "assistant", "content": completion.text}]
        self._replies.append(completion)
        self._write()

    def observation(self, text: str) -> None:
        """Complete the last turn with the user message that answers it, if no other takes its place."""
        self._observed(text)
        self._write()

    def summary(self) -> None:
        """A summary begins; its calls follow."""
        self._summaries += 1
        self._subagents = []

    def subagent(self, step: str, messages: list[Message], completion: Completion, seconds: float) -> None:
        """A call of the summary, one of `SUMMARY`."""
        self.aside(completion)
        number = self._summaries
        session = f"{self._run.id}-summarization-{number}-{step}"
        opening, turns = _conversation(messages, _turn(completion, seconds))
        trajectory = replace(
            self._run,
            id=session,
            agent=f"{self._run.agent}-summarization-{step}",
            prompt="\n\n".join(opening),
            turns=turns,
        )
        links = Links(
            opening=opening,
            metrics=(*[{}] * (len(turns) - 1), _metrics(completion)),
            agent={"parent_session_id": self._run.id, "summarization_index": number},
        )
        file = f"trajectory.summarization-{number}-{step}.json"
        write_atif(trajectory, self._folder / file, links)
        self._subagents.append((session, file))

    def aside(self, completion: Completion) -> None:
        """A call outside the conversation: it costs tokens and is no turn."""
        self._others.append(completion)

    def result(self) -> AgentResult:
        calls = [*self._replies, *self._others]
        return AgentResult(
            len(self._replies),
            _total(call.prompt_tokens for call in calls),
            _total(call.completion_tokens for call in calls),
            _total(call.cached_tokens for call in calls),
            self._summaries,
        )

    def __enter__(self) -> Self:
        self._write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._segment.trajectory = replace(self._segment.trajectory, exception=kind.__name__)
            self._write()

    def _follow(self, messages: list[Message]) -> None:
        """Go over to a new segment unless these messages are those of the last turn and a prompt."""
        segment = self._segment
        if segment.sent and messages[:-1] == segment.sent:
            self._observed(messages[-1]["content"])
            return
        opening, turns = _conversation(messages)
        links = replace(segment.links, opening=opening, metrics=tuple({} for _ in turns))
        trajectory = replace(self._run, prompt="\n\n".join(opening), turns=turns)
        if segment.sent:
            self._segments += 1
            following = f"trajectory.cont-{self._segments}.json"
            whole = self._subagents if len(self._subagents) == len(SUMMARY) else ()
            segment.links = replace(segment.links, subagents=tuple(whole), continued_in=following)
            self._subagents = []
            self._write()
            links = replace(
                links,
                session=f"{self._run.id}-cont-{self._segments}",
                agent={"continuation_index": self._segments},
            )
            trajectory = replace(trajectory, id=f"{self._run.id}#{self._segments}")
            segment = _Segment(trajectory, links, following)
        self._segment = replace(segment, trajectory=trajectory, links=links)

    def _observed(self, text: str) -> None:
        *before, last = self._segment.trajectory.turns
        turns = (*before, replace(last, observation=text))
        self._segment.trajectory = replace(self._segment.trajectory, turns=turns)

    def _write(self) -> None:
        segment = self._segment
        write_atif(segment.trajectory, self._folder / segment.file, segment.links)


def _conversation(
    messages: list[Message], reply: Turn | None = None
) -> tuple[tuple[str, ...], tuple[Turn, ...]]:
    """The user messages it begins with, and the turns after them; those of `messages` are copies."""
    replies = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    opening = messages[: replies[0]] if replies else messages
    turns = [
        Turn(messages[index]["content"], messages[index + 1]["content"], is_copied=True) for index in replies
    ]
    return tuple(message["content"] for message in opening), (*turns, *([reply] if reply else []))


def _turn(completion: Completion, seconds: float) -> Turn:
    return Turn(
        completion.text,
        reasoning=completion.reasoning,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        seconds=seconds,
        finish_reason=completion.finish_reason,
    )


def _metrics(completion: Completion) -> dict[str, Any]:
    names = ("cached_tokens", "prompt_token_ids", "completion_token_ids", "logprobs")
    return {name: getattr(completion, name) for name in names}


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
