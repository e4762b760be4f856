"""A rollout in the shape of OpenAI's Responses API, as NeMo Gym records Terminus-2.

What the model wrote is in the `message` items. The `function_call` items beside them are the commands
that were found in that text, not further text; `function_call_output` is the next prompt.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.atif import is_reconstruction, is_view
from terminal_lego.formats.loading import dig, number, text_or
from terminal_lego.formats.trial_result import (
    exception_type,
    one_reward,
    recorded_rewards,
    task_name,
    timed,
    trial_extra,
)
from terminal_lego.trajectory import Trajectory, Turn

_TEXT = {"input_text", "output_text", "text", "reasoning_text", "summary_text"}


def is_rollout(row: Any) -> bool:
    return isinstance(row, Mapping) and "responses_create_params" in row


def read_rollout(row: Mapping[str, Any], *, id: str, source: str) -> Trajectory:
    """A trajectory from a row with `responses_create_params`, `response`, `reward` and, as `metadata`,
    the result of the Harbor trial. Replies that were part of the input are marked as copied.

    Raises:
        TrajectoryError: the items are not an exchange of texts that starts with a prompt.
    """
    prompt, turns = _exchange(row)
    result = row.get("metadata")
    config = dig(result, "config")
    rewards = recorded_rewards(result)
    reward = number(row.get("reward"))
    extra = trial_extra(result, config, "", rewards)
    if isinstance(row.get("instance_id"), str):
        extra["instance_id"] = row["instance_id"]
    if (status := text_or(dig(row, "response", "status"), "completed")) != "completed":
        extra["status"] = status
    model = text_or(dig(row, "response", "model"), "")
    return Trajectory(
        id=id,
        task=task_name(result, config, ""),
        model=model or text_or(dig(config, "agent", "model_name"), ""),
        prompt=prompt,
        turns=timed(turns, result),
        reward=one_reward(rewards) if reward is None else reward,
        exception=exception_type(result),
        source=source,
        agent=text_or(dig(result, "agent_info", "name"), "terminus-2"),
        agent_version=text_or(dig(result, "agent_info", "version"), ""),
        extra=extra,
    )


def _exchange(row: Mapping[str, Any]) -> tuple[str, list[Turn]]:
    given, output = dig(row, "responses_create_params", "input"), dig(row, "response", "output")
    if not isinstance(output, list):
        raise TrajectoryError("response.output is missing: the rollout holds no reply")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    conversation = _Conversation()
    if instructions := dig(row, "responses_create_params", "instructions"):
        conversation.add({"role": "system", "content": instructions}, is_copied=True)
    for number_, item in enumerate([*(given or []), *output]):
        place = f"input {number_}" if number_ < len(given or []) else f"output {number_ - len(given or [])}"
        try:
            conversation.add(item, is_copied=number_ < len(given or []))
        except TrajectoryError as error:
            raise TrajectoryError(f"{place}: {error}") from None
    return conversation.finish()


class _Conversation:
    """Items taken in one by one; `said` is what came back since the last reply."""

    def __init__(self) -> None:
        self._prompt: str | None = None
        self._turns: list[Turn] = []
        self._said: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[Any] = []

    def add(self, item: Any, is_copied: bool) -> None:
        kind = dig(item, "type") or ("message" if dig(item, "role") else None)
        match kind:
            case "message" if item.get("role") == "assistant":
                self._reply(item, is_copied)
            case "message" if item.get("role") in ("user", "system", "developer"):
                self._said.append(_text(item.get("content")))
            case "reasoning":
                self._reasoning.append(_text(item.get("content") or item.get("summary")))
            case "function_call":
                if not self._turns or self._said or self._reasoning:
                    raise TrajectoryError("a tool call without the reply that asked for it")
                self._calls.append(item)
            case "function_call_output":
                if not self._turns:
                    raise TrajectoryError("an output before the first reply")
                self._said.append(_text(item.get("output")))
            case _:
                raise TrajectoryError(f"an item of type {kind!r}, which no exchange of texts has")

    def finish(self) -> tuple[str, list[Turn]]:
        if self._reasoning:
            raise TrajectoryError("ends in reasoning; the reply is missing")
        if not self._turns:
            raise TrajectoryError("holds no reply")
        self._close()
        return self._prompt, self._turns

    def _reply(self, item: Mapping[str, Any], is_copied: bool) -> None:
        if not self._said:
            raise TrajectoryError("a reply that follows no " + ("output" if self._turns else "prompt"))
        self._close()
        content = item.get("content")
        if content is None or content == []:
            raise TrajectoryError("a reply without content")
        reasoning = "\n".join(filter(None, self._reasoning)) or None
        is_raw = isinstance(content, str) or len(content) == 1
        self._turns.append(Turn(_text(content), "", is_raw, is_copied, reasoning))
        self._reasoning = []

    def _close(self) -> None:
        """What was said since the last reply is its observation, or the prompt; its calls are judged."""
        if not self._turns:
            self._prompt = "\n\n".join(filter(None, self._said))
        else:
            turn = self._turns[-1]
            is_raw = turn.is_raw and _is_raw(turn, self._calls)
            self._turns[-1] = replace(turn, observation="\n".join(self._said), is_raw=is_raw)
        self._said, self._calls = [], []


def _is_raw(turn: Turn, calls: list[Any]) -> bool:
    """Whether the text is all that the model wrote: calls that are not in it were written elsewhere."""
    if is_reconstruction(turn.reply, bool(calls)):
        return False
    typed = [call for call in calls if call.get("name") == "bash_command"]
    return not typed or is_view([_arguments(call) for call in typed], turn.parsed)


def _arguments(call: Mapping[str, Any]) -> Any:
    try:
        return json.loads(call.get("arguments"))
    except (TypeError, ValueError, RecursionError):
        return None


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, list) else [content]
    kinds = {dig(part, "type") for part in parts}
    if "refusal" in kinds:
        raise TrajectoryError("a refusal, which is no reply in this format")
    if not kinds <= _TEXT or not all(isinstance(dig(part, "text"), str) for part in parts):
        raise TrajectoryError("holds content other than text")
    return "".join(part["text"] for part in parts)
