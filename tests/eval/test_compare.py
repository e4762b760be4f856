from pathlib import Path

import pytest
from rich.console import Console

from eval import compare as command
from eval.compare import comparison_lines, comparison_table, load_comparable, task_table
from eval.evaluate import EvaluationResult, summarize
from terminal_lego.errors import ConfigError
from terminal_lego.harness.trial import TrialResult
from tests.eval.job_folders import write_job


def result(name: str, rewards: list[float | None], **conditions) -> EvaluationResult:
    trials = []
    for index, reward in enumerate(rewards):
        verdict = None if reward is None else {"rewards": {"reward": reward}}
        error = {"exception_type": "SandboxError"} if reward is None else None
        data = {
            "task_name": str(index),
            "trial_name": str(index),
            "verifier_result": verdict,
            "exception_info": error,
        }
        trials.append(TrialResult(Path("x"), data))
    tasks = [str(index) for index in range(len(rewards))]
    return summarize(
        name,
        tasks,
        trials,
        "job",
        groups=lambda t: "even" if int(t) % 2 == 0 else "odd",
        conditions=conditions,
    )


def shown(results) -> str:
    return printed(comparison_table(results))


def printed(table) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_table_has_both_forms_and_each_group():
    text = shown({"base": result("base", [1.0, 0.0, None, 0.0])})
    for cell in ("1/4", "25.0 % [4.6, 69.9]", "33.3 % [6.1, 79.2]", "even", "odd", "1/2", "0/2"):
        assert cell in text


def test_names_are_not_markup():
    assert "[red]x" in shown({"[red]x": result("x", [1.0])})


def test_students_without_an_evaluation_are_said_to_be_so():
    results = {"base": result("base", [1.0]), "later": None}
    assert "not evaluated" in shown(results)
    assert "later: not evaluated; its trials were not run." in comparison_lines(results)


def test_nothing_at_all_is_a_sentence_too():
    assert comparison_lines({}) == ["Nothing to compare: no evaluation was run."]
    assert comparison_lines({"a": None}) == ["a: not evaluated; its trials were not run."]


def test_differences_are_paired_with_the_first_student():
    lines = comparison_lines({"base": result("base", [0.0] * 8), "tuned": result("tuned", [1.0, 0.0] * 4)})
    assert lines[0].startswith("tuned - base: +50.0 points of pass@1, between +")
    assert "paired Student interval over 8 shared tasks" in lines[0]
    assert "p = 0.12 (sign flips, exact)" in lines[0]


def test_differences_come_in_both_forms_when_errors_lie_between_them():
    lines = comparison_lines({"a": result("a", [0.0, 0.0, None]), "b": result("b", [1.0, 0.0, 1.0])})
    assert lines[0].startswith("b - a: +66.7 points")
    assert lines[1].startswith("b - a excl. errors: +50.0 points")


def test_other_conditions_are_pointed_out():
    lines = comparison_lines({"a": result("a", [1.0], max_turns=8), "b": result("b", [0.0], max_turns=30)})
    assert lines[-1] == "Careful: b and a were not evaluated under the same max_turns."


def test_no_tasks_means_no_interval_and_a_reason():
    lines = comparison_lines({"a": result("a", [])})
    assert lines == ["a: no interval: there is no task with a trial."]
    assert "NaN [NaN, NaN]" in shown({"a": result("a", [])})


def test_tasks_that_differ_are_listed_from_most_gained_to_most_lost():
    text = printed(task_table({"a": result("a", [0.0, 1.0, 1.0]), "b": result("b", [1.0, 0.0, 1.0])}))
    rows = [
        line.split()
        for line in text.splitlines()
        if line.strip() and line.split()[0] in "012" and "others" not in line
    ]
    assert rows == [["0", "0.00", "1.00"], ["1", "1.00", "0.00"]]
    assert "1 others" in text and "equal" in text


def test_jobs_on_disk_are_compared(tmp_path, capsys):
    base = write_job(tmp_path / "base", {"x": [0.0, 0.0], "y": [1.0, 0.0]}, name="base")
    tuned = write_job(tmp_path / "tuned", {"x": [1.0, 1.0], "y": [1.0, 0.0]}, name="tuned")
    assert command.main([str(base), str(tuned)]) == 0
    out = capsys.readouterr().out
    assert "tuned - base: +50.0 points" in out and "p = 1 (sign flips, exact)" in out
    assert "1 others" in out


def test_jobs_that_measured_different_things_are_refused_unless_forced(tmp_path, capsys):
    base = write_job(tmp_path / "base", {"x": [0.0], "y": [0.0]}, name="base")
    other = {"conditions": {"temperature": 1.0, "profile": "z"}, "name": "tuned"}
    tuned = write_job(tmp_path / "tuned", {"x": [1.0]}, **other)
    assert command.main([str(base), str(tuned)]) == 2
    error = capsys.readouterr().err
    assert "under another profile, temperature, set of tasks (y)" in error and "--force" in error
    assert command.main([str(base), str(tuned), "--force"]) == 0
    out = capsys.readouterr().out
    assert "tuned - base: +100.0 points" in out and "over 1 task" in out
    assert "Careful: tuned and base were not evaluated under the same profile, tasks, temperature." in out


@pytest.mark.parametrize(
    "key", ["temperature", "max_turns", "timeout_multiplier", "max_input_tokens", "profile"]
)
def test_each_condition_alone_is_enough_to_refuse(tmp_path, key):
    one = write_job(tmp_path / "one", {"x": [0.0]}, conditions={key: 1})
    two = write_job(tmp_path / "two", {"x": [0.0]}, conditions={key: 2})
    with pytest.raises(ConfigError, match=f"under another {key}:"):
        load_comparable([one, two])


def test_other_attempts_or_other_content_of_a_task_are_refused(tmp_path):
    one = write_job(tmp_path / "one", {"x": [0.0]})
    twice = write_job(tmp_path / "two", {"x": [0.0, 0.0]})
    changed = write_job(tmp_path / "three", {"x": [0.0]})
    file = changed / "manifest.json"
    file.write_text(file.read_text().replace("checksum of x", "checksum of another x"))
    with pytest.raises(ConfigError, match="another attempts:"):
        load_comparable([one, twice])
    with pytest.raises(ConfigError, match=r"another content of tasks \(x\):"):
        load_comparable([one, changed])


def test_students_of_one_name_are_told_apart_by_folder(tmp_path):
    jobs = [write_job(tmp_path / name, {"x": [0.0]}) for name in ("one", "two")]
    assert list(load_comparable(jobs)) == [str(job) for job in jobs]


def test_a_comparison_needs_two_jobs(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main([str(tmp_path)])
    assert ended.value.code == 2 and "two jobs or more" in capsys.readouterr().err
