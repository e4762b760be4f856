import io
from pathlib import Path

import pytest
from rich.console import Console

from eval import progress
from eval.progress import Progress
from terminal_lego.harness.trial import TrialResult


def trial(reward: float | None, exception: str | None = None, name: str = "") -> TrialResult:
    data = {
        "trial_name": name or f"{reward} {exception}",
        "verifier_result": None if reward is None else {"rewards": {"reward": reward}},
        "exception_info": exception and {"exception_type": exception},
    }
    return TrialResult(Path("x"), data)


def run(console: Console) -> None:
    with Progress("tiny", 4, console=console) as shown:
        for one in (trial(1.0), trial(0.0), trial(None, "SandboxError")):
            shown.add(one)


def test_plain_lines_when_nobody_watches():
    out = io.StringIO()
    run(Console(file=out, force_terminal=False))
    assert out.getvalue().startswith(
        "tiny: 3/4 trials, 1 solved, 50 % of those judged, 1 infrastructure errors, "
    )


def test_lines_come_while_it_runs(monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.01)
    out = io.StringIO()
    with Progress("tiny", 4, console=Console(file=out, force_terminal=False)) as shown:
        while out.getvalue().count("\n") < 2:
            shown._over.wait(0.01)
    assert "tiny: 0/4 trials" in out.getvalue()


def test_live_table_on_a_terminal():
    out = io.StringIO()
    run(Console(file=out, force_terminal=True, width=100))
    assert "infrastructure errors" in out.getvalue()
    assert "3/4" in out.getvalue()


def test_display_ends_when_the_run_fails():
    out = io.StringIO()
    shown = Progress("tiny", 4, console=Console(file=out, force_terminal=False))
    with pytest.raises(RuntimeError), shown:
        raise RuntimeError
    assert not shown._ticker.is_alive()
    assert out.getvalue() == ""


def test_kept_trials_are_done_but_set_no_pace():
    shown = Progress("tiny", 4, [trial(1.0)], Console(file=io.StringIO()))
    assert "1/4 trials, 1 solved" in shown.line()
    assert shown.line().endswith("0.0 trials/min, ? left")


def test_unknown_time_left_is_a_question_mark():
    assert progress._clock(float("inf")) == "?"
    assert progress._clock(3725) == "1:02:05"


def test_a_trial_that_runs_again_is_counted_once():
    shown = Progress("tiny", 1, console=Console(file=io.StringIO()))
    shown.add(trial(None, "SandboxError", "x"))
    assert "1/1 trials, 0 solved, ? of those judged, 1 infrastructure errors" in shown.line()
    shown.add(trial(1.0, name="x"))
    assert "1/1 trials, 1 solved, 100 % of those judged, 0 infrastructure errors" in shown.line()
