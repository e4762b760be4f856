import json
from dataclasses import replace
from pathlib import Path

from eval.evaluate import evaluate, summarize
from eval.report import summary_row, trial_views
from terminal_lego.formats import write_atif
from terminal_lego.harness.agents.terminus2 import Terminus2
from terminal_lego.harness.clients.scripted import ScriptedClient
from terminal_lego.harness.trial import TrialResult
from terminal_lego.report.page import RunReport, write_page
from terminal_lego.trajectory import Trajectory, Turn


def reply(keystrokes: str = "", done: bool = False) -> str:
    commands = [{"keystrokes": keystrokes, "duration": 0.1}] if keystrokes else []
    return json.dumps({"analysis": "a", "plan": "p", "commands": commands, "task_complete": done})


def finished(folder: Path, task: str = "t") -> TrialResult:
    verdict = {"rewards": {"reward": 1.0}}
    data = {"task_name": task, "trial_name": folder.name, "verifier_result": verdict, "agent_result": None}
    return TrialResult(folder, data)


def test_a_summary_row_holds_what_the_page_shows():
    result = summarize("s", ["a", "b"], [finished(Path("x"), "a")], "job", groups=lambda task: task)
    row = summary_row(result)
    assert (row.name, row.solved, row.tasks, row.pass_at_1, row.infrastructure_errors) == ("s", 1, 2, 0.5, 1)
    assert row.per_group == {"a": (1, 1), "b": (0, 1)}
    assert list(row.interval) == result.interval


def test_a_view_reads_the_trials_folder(tmp_path):
    folder = tmp_path / "t__x"
    (folder / "agent").mkdir(parents=True)
    (folder / "verifier").mkdir()
    (folder / "verifier" / "test-stdout.txt").write_bytes(b"1 passed \xff\n")
    turns = (Turn(reply("ls\n"), "screen 1"), Turn(reply(done=True), "screen 2"))
    trajectory = Trajectory(id="t__x", task="t", model="m", prompt="Do it.", turns=turns)
    write_atif(trajectory, folder / "agent" / "trajectory.json")
    (folder / "result.json").write_text(json.dumps(finished(folder).data))
    (view,) = trial_views(summarize("s", ["t"], [finished(folder)], tmp_path))
    assert [message["content"] for message in view.messages] == [
        "Do it.",
        turns[0].reply,
        "screen 1",
        turns[1].reply,
        "screen 2",
    ]
    assert view.verifier_output == "1 passed \N{REPLACEMENT CHARACTER}\n"


def test_a_trial_that_left_nothing_is_still_listed(tmp_path):
    (tmp_path / "t__x").mkdir()
    result = summarize("s", ["t", "never"], [finished(tmp_path / "t__x")], tmp_path)
    views = trial_views(result)
    assert [(view.task, view.messages, view.verifier_output) for view in views] == [
        ("t", [], ""),
        ("never", [], ""),
    ]


def test_from_a_student_in_a_container_to_its_page(engine, make_task, tmp_path):
    def policy(messages):
        return reply("echo done > out.txt\n") if len(messages) == 1 else reply(done=True)

    make_agent = lambda: Terminus2(ScriptedClient(policy), max_turns=5)  # noqa: E731
    result = evaluate("scripted", [make_task()], make_agent, tmp_path / "job")
    assert (result.solved, result.mean_turns) == (1, 3.0)
    (view,) = trial_views(result)
    assert [message["role"] for message in view.messages[:5]] == ["user", "assistant"] * 2 + ["user"]
    assert "Solve task." in view.messages[0]["content"]
    page = write_page(
        replace(RunReport("r", "now"), summary=[summary_row(result)], trials=[view]), tmp_path / "page.html"
    )
    assert "echo done" in page.read_text()
