"""One evaluation in sentences: what the table has no room for."""

import math

from eval.result import EvaluationResult

MIN_ATTEMPTS = 5  # of a leaderboard submission


def result_lines(result: EvaluationResult) -> list[str]:
    """pass@k, leaderboard figures, error classes, how the student kept to the format, where it all lies."""
    lines = [_leaderboard(result)]
    if passes := _pass_at_k(result):
        lines.insert(0, passes)
    errors = ", ".join(f"{count} {name}" for name, count in result.errors.items())
    lines.append(f"Trials that did not end well: {errors or 'none'}.")
    turns = result.turns
    if turns.count:
        lines.append(
            f"Of {turns.count:,} replies {percent(turns.invalid_format)} were not in the format and "
            f"{percent(turns.cut_by_length)} were cut by length; "
            f"{percent(result.timed_out)} of the trials ran out of time."
        )
    lines += [f"Trials: {result.job_dir}", f"Result: {result.job_dir}/evaluation.json"]
    return lines


def percent(value: float) -> str:
    """A share as people read it; NaN stays visible."""
    return "NaN" if math.isnan(value) else f"{100 * value:.1f} %"


def _pass_at_k(result: EvaluationResult) -> str:
    without = result.pass_at_k_without_infrastructure_errors
    parts = [
        f"pass@{k} {percent(value)} ({percent(without.get(k, math.nan))} excl. errors)"
        for k, value in result.pass_at_k.items()
    ]
    return ", ".join(parts) + "." if parts else ""


def _leaderboard(result: EvaluationResult) -> str:
    board = result.leaderboard
    if math.isnan(board.accuracy):
        return "Leaderboard accuracy: none, as a task has no trial that counts there."
    if math.isnan(board.standard_error):
        error = "no standard error, as a task has one trial"
    else:
        error = f"standard error {percent(board.standard_error)}, of other attempts at these tasks"
    few = result.trials < MIN_ATTEMPTS * result.tasks
    rules = f"; a submission needs {MIN_ATTEMPTS} attempts of each task" if few else ""
    return f"Leaderboard accuracy {percent(board.accuracy)} of {board.trials} trials, {error}{rules}."
