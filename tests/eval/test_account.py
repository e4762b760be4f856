from pathlib import Path

from eval.account import percent, result_lines
from eval.jobs import load_result
from eval.shards import planned_names
from tests.eval.job_folders import VALID, checksums, write_job, write_trial


def lines(tmp_path: Path, **outcomes) -> str:
    return "\n".join(result_lines(load_result(write_job(tmp_path, outcomes))))


def test_one_attempt_has_no_standard_error_and_is_no_submission(tmp_path):
    text = lines(tmp_path, a=[1.0], b=["SandboxError"])
    assert "Leaderboard accuracy: none" in text
    assert "Trials that did not end well: 1 SandboxError." in text
    assert f"Result: {tmp_path}/evaluation.json" in text
    assert "pass@2" not in text


def test_five_attempts_have_both(tmp_path):
    text = lines(tmp_path, a=[1.0, 1.0, 1.0, 0.0, 0.0], b=[1.0] * 5)
    assert "Leaderboard accuracy 80.0 % of 10 trials, standard error 12.2 %" in text
    assert "a submission needs" not in text
    assert "pass@2 95.0 % (95.0 % excl. errors), pass@4 100.0 %" in text
    assert "did not end well: none" in text


def test_few_attempts_are_no_submission(tmp_path):
    assert "a submission needs 5 attempts of each task" in lines(tmp_path, a=[1.0, 0.0])
    assert "no standard error, as a task has one trial" in lines(tmp_path / "one", a=[1.0])


def test_shares_of_turns_are_said_where_there_are_turns(tmp_path):
    job = write_job(tmp_path, {"a": ["missing", 0.0]})
    name = next(path.name for path in job.iterdir() if path.is_dir())
    missing = next(each for each in planned_names(checksums(["a"]), 2) if each != name)
    write_trial(job / missing, "a", "0.0 AgentTimeoutError", replies=[VALID, "no", VALID, VALID])
    text = "\n".join(result_lines(load_result(job)))
    assert (
        "Of 4 replies 25.0 % were not in the format and NaN were cut by length; 50.0 % of the trials" in text
    )


def test_undefined_shares_stay_visible():
    assert percent(float("nan")) == "NaN"
