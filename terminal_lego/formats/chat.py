"""One row of a chat data set: `messages` (role, content) or ShareGPT (from, value)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.atif import is_reconstruction, text_of
from terminal_lego.formats.loading import is_json, number, parse_json, text_or
from terminal_lego.trajectory import Trajectory, Turn

_CONVERSATIONS = ("messages", "conversations", "conversations_sharegpt")
_USER, _ASSISTANT = ("system", "user", "human"), ("assistant", "gpt")
_TASK, _MODEL = ("task", "task_name", "oracle_passed_task"), ("model", "model_name", "teacher")
_TAKEN = {*_CONVERSATIONS, "task", "task_name", *_MODEL, "reward", "result", "agent", "is_raw"}


def is_chat(row: Any) -> bool:
    return isinstance(row, Mapping) and any(row.get(name) is not None for name in _CONVERSATIONS)


def read_chat(row: Mapping[str, Any], *, id: str, source: str) -> Trajectory:
    """A trajectory from a row; what stands in its `metadata` counts like a column, unless there is one.
    Columns without a place of their own go to `extra` as far as they are JSON values.

    Messages in a row that are not replies (a system message, then the user's) become one, with a
    blank line between them.

    `oracle_passed_task` names a task whose own solution passes. That says nothing about this
    conversation, so its reward stays unknown.

    Raises:
        TrajectoryError: the messages are not an exchange of texts that starts with a prompt.
    """
    prompt, turns = _exchange(_messages(row))
    metadata = row.get("metadata")
    if isinstance(metadata, Mapping):
        given = {name: value for name, value in row.items() if name != "metadata" and value is not None}
        row = {**metadata, **given}
    outcome = row.get("result")
    reward = number(row.get("reward"))
    if reward is None and isinstance(outcome, str):
        reward = _as_number(outcome)
    if row.get("is_raw") is False:
        turns = [replace(turn, is_raw=False) for turn in turns]
    return Trajectory(
        id=id,
        task=_first(row, _TASK),
        model=_first(row, _MODEL),
        prompt=prompt,
        turns=tuple(turns),
        reward=reward,
        exception=outcome if isinstance(outcome, str) and outcome and _as_number(outcome) is None else None,
        source=source,
        agent=text_or(row.get("agent"), "terminus-2"),
        extra={
            name: value
            for name, value in row.items()
            if name not in _TAKEN and value is not None and is_json(value)
        },
    )


def _messages(row: Mapping[str, Any]) -> list[Any]:
    name = next(name for name in _CONVERSATIONS if row.get(name) is not None)
    messages = parse_json(row[name]) if isinstance(row[name], str) else row[name]
    if not isinstance(messages, list) or not messages:
        raise TrajectoryError(f"{name} is not a list of messages")
    return messages


def _exchange(messages: list[Any]) -> tuple[str, list[Turn]]:
    """The first prompt and the turns after it."""
    pending: list[str] = []
    prompts: list[str] = []
    replies: list[tuple[str, str | None]] = []
    for number_, message in enumerate(messages, start=1):
        role, text, reasoning = _message(message, number_)
        if role in _USER:
            pending += [text] if text or role != "system" else []
        elif not pending:
            raise TrajectoryError(f"message {number_}: a reply that follows no prompt")
        else:
            prompts.append("\n\n".join(pending))
            replies.append((text, reasoning))
            pending = []
    if not replies:
        raise TrajectoryError("holds no reply")
    observations = [*prompts[1:], "\n\n".join(pending)]
    turns = [
        Turn(reply, observation, not is_reconstruction(_after_thinking(reply)), reasoning=reasoning)
        for (reply, reasoning), observation in zip(replies, observations, strict=True)
    ]
    return prompts[0], turns


def _message(message: Any, number_: int) -> tuple[str, str, str | None]:
    if not isinstance(message, Mapping):
        raise TrajectoryError(f"message {number_}: not an object")
    role = message.get("role", message.get("from"))
    if role not in _USER + _ASSISTANT:
        raise TrajectoryError(
            f"message {number_}: role {role!r} is none of user, assistant, system, human, gpt"
        )
    if message.get("tool_calls"):
        raise TrajectoryError(f"message {number_}: holds tool calls; only text replies can be read")
    content = message.get("content", message.get("value"))
    if content is None and role in _ASSISTANT:
        raise TrajectoryError(f"message {number_}: a reply without content")
    reasoning = message.get("reasoning_content")
    return role, text_of(content), reasoning if isinstance(reasoning, str) else None


def _after_thinking(reply: str) -> str:
    return reply.rpartition("</think>")[2].lstrip()


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((row[name] for name in names if isinstance(row.get(name), str)), "")


def _as_number(text: str) -> float | None:
    try:
        return number(float(text))
    except ValueError:
        return None
