from pathlib import Path

import pytest

from terminal_lego.errors import TrajectoryError
from terminal_lego.report.trials import write_trials
from terminal_lego.report.trials.attempt import TAIL_CHARACTERS, Attempt, read_attempts
from terminal_lego.report.trials.content import cell_and_body
from tests.terminal_lego.report.trials.made import write_job, write_trial

REAL = Path("/work", "shared", "data", "trajectories")


@pytest.mark.parametrize(
    ("reward", "error", "outcome"),
    [
        (1.0, None, "passed"),
        (1.0, "AgentTimeoutError", "passed"),
        (0.5, None, "partial"),
        (0.0, None, "failed"),
        (None, None, "failed"),
        (None, "ContextLengthExceededError", "failed"),
        (None, "ModelUnavailableError", "lost"),
        (None, "SomethingNew", "lost"),
    ],
)
def test_an_outcome_follows_from_reward_and_error(tmp_path, reward, error, outcome):
    assert Attempt.read(write_trial(tmp_path, "t__1", reward, error)).outcome == outcome


def test_a_zero_of_a_verifier_that_could_not_be_set_up_is_lost(tmp_path):
    stdout = "E: Unable to fetch some archives, maybe run apt-get update\n"
    attempt = Attempt.read(write_trial(tmp_path, "t__1", 0.0, stdout=stdout))
    assert (attempt.outcome, attempt.error) == ("lost", "VerifierBootstrapError")


@pytest.mark.parametrize("damage", [None, "", "[]", '{"task_name": 1'])
def test_a_trial_without_a_sound_result_is_unfinished(tmp_path, damage):
    folder = write_trial(tmp_path, "t__1")
    (folder / "result.json").unlink()
    if damage is not None:
        (folder / "result.json").write_text(damage)
    attempt = Attempt.read(folder)
    assert (attempt.task, attempt.outcome) == ("t", "unfinished")


def test_jobs_are_found_below_a_folder_and_hidden_ones_are_not(tmp_path):
    write_job(tmp_path / "a" / "job")
    write_trial(tmp_path / "b", "t__1")
    write_trial(tmp_path / ".trash", "t__2")
    assert len(read_attempts(tmp_path)) == 7


def test_nothing_to_show_is_an_error(tmp_path):
    with pytest.raises(TrajectoryError, match="holds no trial"):
        read_attempts(tmp_path)
    with pytest.raises(TrajectoryError, match="is not a folder"):
        read_attempts(tmp_path / "none")


def test_of_long_output_the_end_is_kept(tmp_path):
    folder = write_trial(tmp_path, "t__1", stdout="é" * 100_000 + "the end")
    _, body = cell_and_body(Attempt.read(folder))
    assert body["verifier"].endswith("the end")
    assert len(body["verifier"]) == TAIL_CHARACTERS


def test_a_link_out_of_the_trial_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("key")
    folder = write_trial(tmp_path / "job", "t__1")
    (folder / "verifier" / "test-stdout.txt").unlink()
    (folder / "verifier" / "test-stdout.txt").symlink_to(tmp_path / "secret")
    assert Attempt.read(folder).verifier_output == ""


def test_the_same_job_gives_the_same_bytes_and_nothing_points_outside(tmp_path):
    job = write_job(tmp_path / "job")
    first, second = (write_trials(job, tmp_path / name).path.read_text() for name in "ab")
    assert first == second
    assert "default-src &#39;none&#39;" in first
    assert not any(text in first for text in ("http://", "https://", "@import", "url("))


@pytest.mark.skipif(not REAL.is_dir(), reason="the sample of real jobs is not here")
def test_real_jobs_of_the_reference_can_be_read():
    cells = [cell_and_body(attempt)[0] for attempt in read_attempts(REAL)]
    outcomes = sorted((cell["task"], cell["outcome"], cell["error"]) for cell in cells)
    assert [task for task, *_ in outcomes] == sorted(task for task, *_ in outcomes)
    assert ("fix-git", "passed", None) in outcomes
    assert [outcome for task, outcome, _ in outcomes if task == "build-pov-ray"] == ["unfinished"]
    assert any(error == "AgentTimeoutError" for *_, error in outcomes)
    assert all(cell["turns"] for cell in cells)
