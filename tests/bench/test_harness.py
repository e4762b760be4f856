import json
import re

import pytest

from bench import harness
from bench.harness import BARE, TERMINUS, Figures, measure
from terminal_lego.reply import parse_reply


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch) -> None:
    monkeypatch.setattr(harness, "_idle_rate", lambda: 0.0)


@pytest.mark.parametrize("kind", [BARE, TERMINUS])
def test_a_kind_of_trial_is_solved_and_measured(engine, kind):
    found = measure(kind, 1, 1)
    assert min(found.trial, found.per_minute, found.processor) > 0
    assert found.peak_bytes > 10_000_000


def test_an_unsolved_trial_is_no_figure(engine, monkeypatch):
    idle = {"analysis": "", "plan": "", "commands": [], "task_complete": True}
    monkeypatch.setattr(harness, "_script", lambda messages: json.dumps(idle))
    with pytest.raises(RuntimeError, match="1 of 1 trials were not solved"):
        harness._job(TERMINUS, 1, 1)


def test_the_script_takes_four_turns_and_waits_as_long_as_the_references():
    said = [{"role": "assistant", "content": ""}]
    replies = [parse_reply(harness._script(said * turn)) for turn in range(4)]
    assert [len(reply.commands) for reply in replies] == [1, 1, 1, 0]
    assert [reply.task_complete for reply in replies] == [False, False, True, True]
    assert sum(command.duration for reply in replies for command in reply.commands) == pytest.approx(0.3)


def test_the_table_stands_beside_the_reference(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        harness, "measure", lambda kind, concurrency, count: Figures(1.25, 45, 0.5, 60_000_000)
    )
    harness.main(["--simulated", "20", "--results", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "| oracle | 8 | 1.25 | 45.0 | 0.50 | 60 | 22.9 | 18.7 | 4.4 | 666 |" in printed
    assert re.search(r"^\| 20 \| \d+ \| \d+ \|$", printed, re.MULTILINE)
    (file,) = tmp_path.glob("*-harness.md")
    assert file.read_text() == printed
