"""ATIF files: the agent trajectory format that Harbor writes, versions 1.2 to 1.8.

What Terminus-2 puts there: a user step with the first prompt, then one agent step per turn whose
observation is the next prompt. By default the agent's message is not what the model wrote but
"Analysis: …" and "Plan: …" beside tool calls; only the raw-content mode keeps the reply itself.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.atif_schema import (
    OWN,
    Document,
    Own,
    Step,
    count_subagents,
    is_summary,
    parse_document,
)
from terminal_lego.formats.loading import load_json, number, one_sentence
from terminal_lego.reply import Reply, parse_reply
from terminal_lego.trajectory import XML, Trajectory, Turn

RawReply = Callable[[int], str | None]


def read_atif(
    data: Any, *, id: str, source: str, folder: Path, raw_reply: RawReply = lambda index: None
) -> list[Trajectory]:
    """One trajectory per segment: the document itself and the continuations it leads to.

    A continuation starts from the copied, shortened history the model saw, so it is a conversation
    of its own. Two user messages in a row become one, with a blank line between them.

    Where a file goes on from a summary without saying what the model saw then, only the turns before
    the first summary are a conversation that took place: they are kept, with `extra["cut_at_summary"]`.
    Since the agent did go on, a reply at their end that declares completion is left out.

    Sub-agents' conversations are never mixed in; `extra["subagents"]` counts them.

    Args:
        data: parsed JSON of the first document.
        folder: where continuations are looked for; only the last part of their names counts.
        raw_reply: the model's text of the nth reply of all segments, if somebody kept it.

    Raises:
        TrajectoryError: the document, or one it leads to, is not a whole conversation in text.
    """
    segments: list[Trajectory] = []
    seen: set[str] = set()
    replies = 0
    while True:
        document = parse_document(data)
        prompt, turns, is_cut = _conversation(document, raw_reply, replies)
        replies += sum(step.source == "agent" and not step.is_copied_context for step in document.steps)
        name = id if not segments else f"{id}#{len(segments)}"
        segment = _trajectory(document, prompt, turns, name, source)
        segments.append(
            replace(segment, extra=segment.extra | {"cut_at_summary": True}) if is_cut else segment
        )
        reference = document.continued_trajectory_ref
        if not reference:
            return segments
        if ".." in Path(reference).parts:
            raise TrajectoryError(f"continues in {reference}, which is not in its own folder")
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
    labelled = not message or message.startswith(("Analysis:", "Plan:"))
    # Parsing is the slow part of reading and decides only between one sign and two.
    if labelled == has_tool_calls:
        return labelled
    return bool(parse_reply(message).error)


def is_view(calls: list[Any], reply: Reply) -> bool:
    """Whether these arguments of `bash_command` calls are the reply's own commands."""
    keystrokes = [call.get("keystrokes") if isinstance(call, dict) else None for call in calls]
    return keystrokes == [command.keystrokes for command in reply.commands]


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


def _conversation(document: Document, raw_reply: RawReply, replies: int) -> tuple[str, list[Turn], bool]:
    """The prompt, the turns after it, and whether they were cut at a summary."""
    own = OWN in (document.extra or {})
    prompt: str | None = None
    turns: list[Turn] = []
    previous = ""
    is_summarised = False
    for step in document.steps:
        if step.source == "system":
            is_summarised = is_summarised or (bool(turns) and is_summary(step))
            continue
        if is_summarised:
            return prompt, _undeclared(turns), True
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
            return prompt, _undeclared(turns), True
        previous = step.source
    if prompt is None:
        raise TrajectoryError("holds no user step")
    return prompt, turns, False


def _undeclared(turns: list[Turn]) -> list[Turn]:
    while turns and turns[-1].parsed.task_complete:
        turns = turns[:-1]
    return turns


def _turn(step: Step, raw_reply: RawReply, index: int) -> Turn:
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


def _own_turn(step: Step) -> Turn:
    extra = step.extra or {}
    turn = Turn(
        reply=text_of(step.message),
        observation=_observation(step.observation),
        is_raw=extra.get("is_raw") is not False,
        is_copied=bool(step.is_copied_context),
        reasoning=step.reasoning_content,
        seconds=number(extra.get("seconds")),
        finish_reason=text if isinstance(text := extra.get("finish_reason"), str) else None,
    )
    return _with_metrics(step, turn)


def _with_metrics(step: Step, turn: Turn) -> Turn:
    counts = (number((step.metrics or {}).get(name)) for name in ("prompt_tokens", "completion_tokens"))
    prompt, completion = (int(count) if count is not None and count < 2**53 else None for count in counts)
    return replace(turn, prompt_tokens=prompt, completion_tokens=completion)


def _agrees(raw: str, step: Step, message: str) -> bool:
    """Whether the lossy step can have been made from this raw text."""
    reply = parse_reply(raw)
    lines = [f"Analysis: {reply.analysis}"] * bool(reply.analysis) + [f"Plan: {reply.plan}"] * bool(
        reply.plan
    )
    calls = [call.arguments for call in step.tool_calls or () if call.function_name == "bash_command"]
    same_keystrokes = not calls or is_view(calls, reply)
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


def _trajectory(document: Document, prompt: str, turns: list[Turn], id: str, source: str) -> Trajectory:
    agent = document.agent
    models = [agent.model_name, *(step.model_name for step in document.steps if step.source == "agent")]
    subagents = count_subagents(document)
    extra = {"parser": agent.extra["parser"]} if agent.extra and "parser" in agent.extra else {}
    trajectory = Trajectory(
        id=id,
        task="",
        model=next(filter(None, models), ""),
        prompt=prompt,
        turns=tuple(turns),
        source=source,
        agent=agent.name or "",
        agent_version=agent.version or "",
        extra=extra | ({"subagents": subagents} if subagents else {}),
    )
    if OWN not in (document.extra or {}):
        return _with_parser(trajectory)
    try:
        own = Own.model_validate(document.extra[OWN])
    except ValidationError as error:
        raise TrajectoryError(f"extra.{OWN}.{one_sentence(error)}") from None
    return _with_parser(replace(trajectory, **dict(own)))


def _with_parser(trajectory: Trajectory) -> Trajectory:
    """Every turn knows how its reply is read; JSON unless the agent said otherwise."""
    if trajectory.extra.get("parser") != XML:
        return trajectory
    return replace(trajectory, turns=tuple(replace(turn, parser=XML) for turn in trajectory.turns))
