"""Evaluation results as the rows and conversations of a run's page."""

from pathlib import Path

from eval.evaluate import EvaluationResult, TrialRecord
from terminal_lego.errors import TerminalLegoError
from terminal_lego.formats import read_trajectories
from terminal_lego.report.page import SummaryRow, TrialView
from terminal_lego.trajectory import Message


def summary_row(result: EvaluationResult) -> SummaryRow:
    return SummaryRow(
        name=result.name,
        solved=result.solved,
        tasks=result.tasks,
        pass_at_1=result.pass_at_1,
        interval=(result.interval[0], result.interval[1]),
        interval_method=result.interval_method,
        pass_at_1_without_infrastructure_errors=result.pass_at_1_without_infrastructure_errors,
        infrastructure_errors=result.infrastructure_errors,
        per_group={group: (score["solved"], score["tasks"]) for group, score in result.per_group.items()},
    )


def trial_views(result: EvaluationResult) -> list[TrialView]:
    """Every trial with its conversation and verifier output, as far as its folder holds them."""
    return [_view(result.name, record) for record in result.records]


def _view(student: str, record: TrialRecord) -> TrialView:
    return TrialView(
        student=student,
        task=record.task,
        group=record.group,
        reward=record.reward,
        exception=record.exception,
        turns=record.turns,
        messages=_messages(record.path),
        verifier_output=_verifier_output(record.path),
    )


def _messages(path: str) -> list[Message]:
    """The conversation with its last screen, which the student never saw."""
    if not path:
        return []
    try:
        trajectories = read_trajectories(path).trajectories
    except TerminalLegoError:  # an agent without a model leaves no conversation
        return []
    messages = []
    for trajectory in trajectories:
        messages += trajectory.messages()
        if trajectory.turns and trajectory.turns[-1].observation:
            messages.append({"role": "user", "content": trajectory.turns[-1].observation})
    return messages


def _verifier_output(path: str) -> str:
    file = Path(path, "verifier", "test-stdout.txt")
    return file.read_text(encoding="utf-8", errors="replace") if path and file.is_file() else ""
