"""ATIF files: the agent trajectory format that Harbor writes, versions 1.2 to 1.8.

What Terminus-2 puts there: a user step with the first prompt, then one agent step per turn whose
observation is the next prompt. By default the agent's message is not what the model wrote but
"Analysis: …" and "Plan: …" beside tool calls; only the raw-content mode keeps the reply itself.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.loading import load_json, number, one_sentence
from terminal_lego.trajectory import Trajectory, Turn, parse_reply

RawReply = Callable[[int], str | None]
OWN = "terminal_lego"


class _ToolCall(BaseModel):
    function_name: str = ""
    arguments: Any = None


class _Step(BaseModel):
    step_id: int | None = None
    source: Literal["system", "user", "agent"]
    model_name: str | None = None
    message: str | list[Any] | None = None
    reasoning_content: str | None = None
    tool_calls: list[_ToolCall] | None = None
    observation: Any = None
    metrics: dict[str, Any] | None = None
    is_copied_context: bool | None = None
    extra: dict[str, Any] | None = None


class _Agent(BaseModel):
    name: str | None = None
    version: str | None = None
    model_name: str | None = None
    extra: dict[str, Any] | None = None


class _Document(BaseModel):
    schema_version: str = Field(pattern=r"^ATIF-v1\.\d+$")
    agent: _Agent
    steps: list[_Step] = Field(min_length=1)
    continued_trajectory_ref: str | None = None
    extra: dict[str, Any] | None = None


class Own(BaseModel):
    """What the format has no place for, kept under `extra` so that reading gives back what was written."""

    id: str
    task: str
    reward: float | None = None
    exception: str | None = None
    source: str = ""
    extra: dict[str, Any] = {}


def is_atif(data: Any) -> bool:
    return isinstance(data, dict) and str(data.get("schema_version", "")).startswith("ATIF")


def read_atif(
    data: Any, *, id: str, source: str, folder: Path, raw_reply: RawReply = lambda index: None
) -> list[Trajectory]:
    """One trajectory per segment: the document itself and the continuations it leads to.

    A continuation starts from the copied, shortened history the model saw, so it is a conversation
    of its own. Two user messages in a row become one, with a blank line between them.

    Args:
        data: parsed JSON of the first document.
        folder: where continuations are looked for.
        raw_reply: the model's text of the nth reply of all segments, if somebody kept it.

    Raises:
        TrajectoryError: the document, or one it leads to, is not a whole conversation in text.
    """
    segments: list[Trajectory] = []
    seen: set[str] = set()
    replies = 0
    while True:
        document = _validate(data)
        turns, prompt = _conversation(document, raw_reply, replies)
        replies += sum(not turn.is_copied for turn in turns)
        segments.append(
            _trajectory(document, prompt, turns, id if not segments else f"{id}#{len(segments)}", source)
        )
        reference = document.continued_trajectory_ref
        if not reference:
            return segments
        if reference in seen:
            raise TrajectoryError(f"continues in a circle at {reference}")
        seen.add(reference)
        try:
            data = load_json(folder / Path(reference).name)
        except TrajectoryError as error:
            raise TrajectoryError(f"continues in {reference}: {error}") from None


def is_reconstruction(message: str, has_tool_calls: bool = False) -> bool:
    """Whether a reply is the lossy form instead of something a model wrote.

    Told by two signs of three: it does not parse, it is empty or starts with the labels of the lossy
    form, and its commands stand beside it as tool calls.
    """
    unparsed = bool(parse_reply(message).error)
    labelled = not message or message.startswith(("Analysis:", "Plan:"))
    return unparsed + labelled + has_tool_calls >= 2


def text_of(content: Any) -> str:
    """The text of a message or observation: a string, or a list of text parts.

    Raises:
        TrajectoryError: there is something else in it, such as an image.
    """
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise TrajectoryError("holds content other than text")
    return "\n".join(texts)


def _validate(data: Any) -> _Document:
    try:
        document = _Document.model_validate(data)
    except ValidationError as error:
        raise TrajectoryError(f"not an ATIF-v1 document: {one_sentence(error)}") from None
    if "summarization_index" in (document.agent.extra or {}):
        raise TrajectoryError("belongs to a summarising sub-agent, not to the main conversation")
    ids = [step.step_id for step in document.steps]
    if None not in ids and ids != list(range(ids[0], ids[0] + len(ids))):
        raise TrajectoryError("steps are missing or out of order (step_id must count up by one)")
    return document


def _conversation(document: _Document, raw_reply: RawReply, replies: int) -> tuple[list[Turn], str]:
    own = OWN in (document.extra or {})
    prompt: str | None = None
    turns: list[Turn] = []
    previous = ""
    for step in document.steps:
        if step.source == "system":
            continue
        if step.source == "agent":
            if prompt is None:
                raise TrajectoryError("starts with a reply; the first prompt is missing")
            turns.append(_own_turn(step) if own else _turn(step, raw_reply, replies))
            replies += not turns[-1].is_copied
        elif not turns:
            prompt = text_of(step.message) if prompt is None else f"{prompt}\n\n{text_of(step.message)}"
        elif previous == "user" or not turns[-1].observation:
            before = [turns[-1].observation] if previous == "user" else []
            turns[-1] = replace(turns[-1], observation="\n\n".join([*before, text_of(step.message)]))
        else:
            raise TrajectoryError(
                f"step {step.step_id}: goes on from a summary, and the file lacks what the model saw then; "
                "record with linear_history"
            )
        previous = step.source
    if prompt is None:
        raise TrajectoryError("holds no user step")
    return turns, prompt


def _turn(step: _Step, raw_reply: RawReply, index: int) -> Turn:
    message = text_of(step.message)
    copied = bool(step.is_copied_context)
    in_parts = isinstance(step.message, list) and len(step.message) > 1
    raw = not in_parts and not is_reconstruction(message, bool(step.tool_calls))
    if not raw and not copied:
        kept = raw_reply(index)
        if kept is not None and (kept == message or _agrees(kept, step, message)):
            message, raw = kept, True
    return _with_metrics(
        step, Turn(message, _observation(step.observation), raw, copied, step.reasoning_content)
    )


def _own_turn(step: _Step) -> Turn:
    extra = step.extra or {}
    turn = Turn(
        reply=text_of(step.message),
        observation=_observation(step.observation),
        is_raw=extra.get("is_raw") is not False,
        is_copied=bool(step.is_copied_context),
        reasoning=step.reasoning_content,
        seconds=number(extra.get("seconds")),
    )
    return _with_metrics(step, turn)


def _with_metrics(step: _Step, turn: Turn) -> Turn:
    counts = (number((step.metrics or {}).get(name)) for name in ("prompt_tokens", "completion_tokens"))
    prompt, completion = (int(count) if count is not None and count < 2**53 else None for count in counts)
    return replace(turn, prompt_tokens=prompt, completion_tokens=completion)


def _agrees(raw: str, step: _Step, message: str) -> bool:
    """Whether the lossy step can have been made from this raw text."""
    reply = parse_reply(raw)
    lines = [f"Analysis: {reply.analysis}"] * bool(reply.analysis) + [f"Plan: {reply.plan}"] * bool(
        reply.plan
    )
    typed = [call.arguments for call in step.tool_calls or () if call.function_name == "bash_command"]
    keystrokes = [call.get("keystrokes") if isinstance(call, dict) else None for call in typed]
    same_keystrokes = not typed or keystrokes == [command.keystrokes for command in reply.commands]
    return not reply.error and message.strip() in ("\n".join(lines).strip(), "") and same_keystrokes


def _observation(observation: Any) -> str:
    if isinstance(observation, dict):
        observation = observation.get("results", observation.get("content"))
    if not isinstance(observation, list):
        return text_of(observation)
    contents = [
        result.get("content", result.get("text")) if isinstance(result, dict) else result
        for result in observation
    ]
    return "\n".join(text_of(content) for content in contents if content is not None)


def _trajectory(document: _Document, prompt: str, turns: list[Turn], id: str, source: str) -> Trajectory:
    agent = document.agent
    models = [agent.model_name, *(step.model_name for step in document.steps if step.source == "agent")]
    trajectory = Trajectory(
        id=id,
        task="",
        model=next(filter(None, models), ""),
        prompt=prompt,
        turns=tuple(turns),
        source=source,
        agent=agent.name or "",
        agent_version=agent.version or "",
        extra={"parser": agent.extra["parser"]} if agent.extra and "parser" in agent.extra else {},
    )
    if OWN not in (document.extra or {}):
        return trajectory
    try:
        own = Own.model_validate(document.extra[OWN])
    except ValidationError as error:
        raise TrajectoryError(f"extra.{OWN}.{one_sentence(error)}") from None
    return replace(trajectory, **dict(own))
