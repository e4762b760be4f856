"""The Terminus-2 JSON reply format: what the model wrote, read as commands.

The texts of errors and warnings are part of the format: the agent shows them to the model, and a
model trained on such conversations has learned to answer exactly them.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from json.decoder import scanstring
from typing import Any

__all__ = ["Command", "Reply", "parse_reply"]

_REQUIRED = ("analysis", "plan", "commands")
_DEFAULT_DURATION = 1.0
_STRUCTURE = re.compile(r'\\.|"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[{}]', re.DOTALL)
_SHALLOW_OBJECT = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_SEPARATORS = re.compile(r"[\s:,]*")
_SHOWN_WHOLE, _PREVIEW = 200, 100
NEWLINE_WARNING = (
    "{} should end with newline when followed by another command. "
    "Otherwise the two commands will be concatenated together on the same line."
)


@dataclass(frozen=True, slots=True)
class Command:
    """Keystrokes for the terminal.

    Attributes:
        keystrokes: literal text, or exactly one tmux key name.
        duration: seconds to wait afterwards, as asked for; may be negative, infinite or NaN.
        span: characters `[start, end)` of the command's JSON object or XML element in the raw reply.
    """

    keystrokes: str
    duration: float
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Reply:
    """One parsed reply. A non-empty `error` means that nothing is executed."""

    commands: tuple[Command, ...] = ()
    task_complete: bool = False
    error: str = ""
    warning: str = ""
    analysis: str = ""
    plan: str = ""


class _ReplyError(Exception):
    """The text of `Reply.error`, on its way up."""


def parse_reply(text: str, *, warn_of_waits: bool = False) -> Reply:
    """Read a model's reply as Terminus-2 does, repairs included. Never raises.

    Args:
        text: the raw reply.
        warn_of_waits: ask for a newline after empty keystrokes too, as the reference did at first.
    """
    first = _parse(text, 0, warn_of_waits)
    if not first.error:
        return first
    for repair, repaired, offset in _repairs(text, first.error):
        reply = _parse(repaired, offset, warn_of_waits)
        if not reply.error:
            note = f"- AUTO-CORRECTED: {repair} - please fix this in future responses"
            return replace(reply, warning=f"{note}\n{reply.warning}" if reply.warning else note)
    return first


def _repairs(text: str, error: str) -> Iterator[tuple[str, str, int]]:
    """Yield (name, repaired text, where it starts in the reply), best first."""
    surplus = text.count("{") - text.count("}")
    if surplus > 0 and error.startswith(("Invalid JSON", "No valid JSON")):
        yield "Fixed incomplete JSON by adding missing closing brace", text + "}" * surplus, 0
    for match in _SHALLOW_OBJECT.finditer(text):
        try:
            json.loads(match[0])
        except (ValueError, RecursionError):
            continue
        yield "Extracted JSON from mixed content", match[0], match.start()
        return


def _parse(text: str, offset: int, warn_of_waits: bool) -> Reply:
    warnings: list[str] = []
    try:
        start, content = _extract(text, warnings)
        data, spans = _decode(content)
        _check_structure(data, content, warnings)
        complete = data.get("task_complete", False)
        complete = complete.lower() in ("true", "1", "yes") if isinstance(complete, str) else bool(complete)
        commands: tuple[Command, ...] = ()
        try:
            spans = [(offset + start + first, offset + start + end) for first, end in spans]
            commands = _commands(data["commands"], spans, warnings, warn_of_waits)
        except _ReplyError as error:
            if not complete:
                raise
            warnings.append(str(error))
    except _ReplyError as error:
        return Reply(error=str(error), warning=bullets(warnings))
    analysis, plan = (value if isinstance(value, str) else "" for value in (data["analysis"], data["plan"]))
    return Reply(commands, complete, "", bullets(warnings), analysis, plan)


def bullets(warnings: list[str]) -> str:
    """Warnings as the model is shown them."""
    return "\n".join(f"- {warning}" for warning in warnings)


def _extract(text: str, warnings: list[str]) -> tuple[int, str]:
    """Find the first balanced object; quotes count from the start of the reply, prose included."""
    depth, start = 0, -1
    for token in _STRUCTURE.finditer(text):
        match token[0]:
            case "{":
                start = token.start() if depth == 0 else start
                depth += 1
            case "}":
                depth -= 1
                if depth == 0 and start != -1:
                    break
    else:
        warnings.append("No valid JSON object found")
        raise _ReplyError("No valid JSON found in response")
    if text[:start].strip():
        warnings.append("Extra text detected before JSON object")
    if text[token.end() :].strip():
        warnings.append("Extra text detected after JSON object")
    return start, text[start : token.end()]


def _decode(content: str) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Return the object and the span of each element of its `commands` list."""
    try:
        return json.loads(content), _command_spans(content)
    except RecursionError:
        reason = "nested too deeply"
    except ValueError as error:
        reason = str(error)
    whole = len(content) < _SHOWN_WHOLE
    shown = f"Content: {content!r}" if whole else f"Content preview: {content[:_PREVIEW]!r}..."
    raise _ReplyError(f"Invalid JSON: {reason} | {shown}")


def _command_spans(content: str) -> list[tuple[int, int]]:
    """Walk valid JSON; like the decoder, let the last of several `commands` fields win."""
    decode = json.JSONDecoder().raw_decode
    spans: list[tuple[int, int]] = []
    position = _skip(content, 1)
    while content[position] != "}":
        key, position = scanstring(content, position + 1)
        position = _skip(content, position)
        if key != "commands" or content[position] != "[":
            spans = [] if key == "commands" else spans
            position = _skip(content, decode(content, position)[1])
            continue
        spans, position = [], _skip(content, position + 1)
        while content[position] != "]":
            _, end = decode(content, position)
            spans.append((position, end))
            position = _skip(content, end)
        position = _skip(content, position + 1)
    return spans


def _skip(content: str, position: int) -> int:
    return _SEPARATORS.match(content, position).end()


def _check_structure(data: dict[str, Any], content: str, warnings: list[str]) -> None:
    if missing := [name for name in _REQUIRED if name not in data]:
        raise _ReplyError(f"Missing required fields: {', '.join(missing)}")
    for name in ("analysis", "plan"):
        if not isinstance(data[name], str):
            warnings.append(f"Field '{name}' should be a string")
    if not isinstance(data["commands"], list):
        raise _ReplyError("Field 'commands' must be an array")
    hits = {name: re.search(rf'"{name}"\s*:', content) for name in _REQUIRED}
    expected = [name for name in _REQUIRED if hits[name]]
    found = sorted(expected, key=lambda name: hits[name].start())
    if found != expected:
        warnings.append(
            f"Fields appear in wrong order. Found: {' → '.join(found)}, expected: {' → '.join(expected)}"
        )
    complete = data.get("task_complete")
    if complete is not None and not isinstance(complete, bool | str):
        warnings.append("Field 'task_complete' should be a boolean or string")


def _commands(
    items: list[Any], spans: list[tuple[int, int]], warnings: list[str], warn_of_waits: bool
) -> tuple[Command, ...]:
    commands = []
    for number, (item, span) in enumerate(zip(items, spans, strict=True), 1):
        name = f"Command {number}"
        if not isinstance(item, dict):
            raise _ReplyError(f"{name} must be an object")
        if "keystrokes" not in item:
            raise _ReplyError(f"{name} missing required 'keystrokes' field")
        keystrokes = item["keystrokes"]
        if not isinstance(keystrokes, str):
            raise _ReplyError(f"{name} 'keystrokes' must be a string")
        duration = _duration(item, name, warnings)
        if unknown := [key for key in item if key not in ("keystrokes", "duration")]:
            warnings.append(f"{name}: Unknown fields: {', '.join(unknown)}")
        if number < len(items) and not keystrokes.endswith("\n") and (keystrokes or warn_of_waits):
            warnings.append(NEWLINE_WARNING.format(name))
        commands.append(Command(keystrokes, duration, span))
    return tuple(commands)


def _duration(item: dict[str, Any], name: str, warnings: list[str]) -> float:
    if "duration" not in item:
        warnings.append(f"{name}: Missing duration field, using default 1.0")
        return _DEFAULT_DURATION
    duration = item["duration"]
    if not isinstance(duration, int | float):
        warnings.append(f"{name}: Invalid duration value, using default 1.0")
        return _DEFAULT_DURATION
    try:
        return float(duration)
    except OverflowError:
        return math.inf if duration > 0 else -math.inf
