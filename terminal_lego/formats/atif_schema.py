"""The parts of an ATIF document that are read, versions 1.2 to 1.8, and what can be told from them alone."""

import re
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats.loading import dig, one_sentence, text_or

OWN = "terminal_lego"
_COMPACTION = re.compile("compact|summar", re.IGNORECASE)


class ToolCall(BaseModel):
    function_name: str = ""
    arguments: Any = None


class Step(BaseModel):
    step_id: int | None = None
    source: Literal["system", "user", "agent"]
    model_name: str | None = None
    message: str | list[Any] | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    observation: Any = None
    metrics: dict[str, Any] | None = None
    is_copied_context: bool | None = None
    extra: dict[str, Any] | None = None


class Agent(BaseModel):
    name: str | None = None
    version: str | None = None
    model_name: str | None = None
    extra: dict[str, Any] | None = None


class Document(BaseModel):
    schema_version: str = Field(pattern=r"^ATIF-v1\.\d+$")
    agent: Agent
    steps: list[Step] = Field(min_length=1)
    continued_trajectory_ref: str | None = None
    subagent_trajectories: list[Any] | None = None
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


def parse_document(data: Any) -> Document:
    """The document, once it is known to be in order.

    Raises:
        TrajectoryError: it is no ATIF-v1 document, lacks steps, or is a sub-agent's.
    """
    try:
        document = Document.model_validate(data)
    except ValidationError as error:
        raise TrajectoryError(f"not an ATIF-v1 document: {one_sentence(error)}") from None
    if {"summarization_index", "parent_session_id"} & (document.agent.extra or {}).keys():
        raise TrajectoryError("belongs to a summarising or other sub-agent, not to the main conversation")
    ids = [step.step_id for step in document.steps]
    if None not in ids and ids != list(range(ids[0], ids[0] + len(ids))):
        raise TrajectoryError("steps are missing or out of order (step_id must count up by one)")
    return document


def is_summary(step: Step) -> bool:
    """Whether this is the bookkeeping step where the history was replaced by a summary of it."""
    marked = any(_COMPACTION.search(key) for key in step.extra or {})
    return step.source == "system" and (marked or any(True for _ in _subagent_references(step)))


def count_subagents(document: Document) -> int:
    """How many sub-agents' conversations the document holds or points to."""
    embedded = enumerate(document.subagent_trajectories or [])
    names = {text_or(dig(item, "trajectory_id"), f"#{index}") for index, item in embedded}
    return len(names | {name for step in document.steps for name in _subagent_references(step)})


def _subagent_references(step: Step) -> Iterator[str]:
    results = dig(step.observation, "results")
    for result in results if isinstance(results, list) else []:
        references = dig(result, "subagent_trajectory_ref")
        for reference in references if isinstance(references, list) else [references]:
            name = dig(reference, "trajectory_id") or dig(reference, "trajectory_path")
            if isinstance(name, str):
                yield name
