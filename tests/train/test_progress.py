from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from train import progress
from train.progress import TrainingProgress


def lines(updates: list[tuple[int, float | None]], steps: int = 4) -> list[str]:
    file = StringIO()
    with TrainingProgress(steps, 1000, Console(file=file, width=200)) as shown:
        for step, loss in updates:
            shown.update(step, loss)
    return file.getvalue().splitlines()


def test_without_a_terminal_the_last_step_is_a_line_and_others_only_now_and_then(monkeypatch):
    assert lines([(1, None), (2, 0.5), (3, 0.25)]) == []
    [last] = lines([(1, None), (2, 0.5), (4, 0.25)])
    assert last.startswith("  step 4/4: loss 0.2500, ")
    assert last.endswith(" tokens/s")
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    assert [line.split(":")[0] for line in lines([(1, None), (2, 0.5)])] == ["  step 1/4", "  step 2/4"]


def test_a_continued_training_is_paced_by_its_own_steps(monkeypatch):
    clock = map(float, range(100))
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    first, second = lines([(901, 0.5), (903, 0.5)], steps=1000)
    assert first.endswith("loss 0.5000, 0.0 steps/s, 0 tokens/s")
    assert second.endswith("loss 0.5000, 2.0 steps/s, 2,000 tokens/s")


@pytest.mark.parametrize("error", [None, RuntimeError])
def test_a_terminal_shows_a_bar_and_gets_its_cursor_back(error):
    file = StringIO()
    console = Console(file=file, force_terminal=True, width=100)
    try:
        with TrainingProgress(4, 1000, console) as shown:
            shown.update(2, 0.5)
            if error:
                raise error
    except RuntimeError:
        pass
    assert "step 2/4" in file.getvalue()
    assert file.getvalue().rstrip("\n").endswith("\x1b[?25h")
