import json
import math
import shutil
from pathlib import Path

import pytest

from eval.evaluate import RESULT_FILE, evaluate, summarize
from eval.jobs import load_result
from eval.merge import merge
from eval.shards import planned_names
from terminal_lego.errors import ConfigError
from terminal_lego.harness.agents.nop import Nop
from terminal_lego.harness.agents.oracle import Oracle
from terminal_lego.harness.record import read_result
from terminal_lego.harness.trial import TrialResult
from tests.eval.job_folders import named_tasks, write_trial


def trial(
    task: str, reward: float | None, exception: str | None = None, turns: int | None = 3
) -> TrialResult:
    data = {
        "task_name": task,
        "trial_name": f"{task}__x",
        "verifier_result": None if reward is None else {"rewards": {"reward": reward}},
        "exception_info": exception and {"exception_type": exception},
        "agent_result": {"metadata": {"n_episodes": turns}},
    }
    return TrialResult(Path("job", f"{task}__x"), data)


def test_an_infrastructure_error_is_a_zero_in_one_form_and_absent_in_the_other():
    result = summarize("s", ["a", "b"], [trial("a", 1.0), trial("b", None, "SandboxError")], "job")
    assert (result.solved, result.tasks, result.trials, result.infrastructure_errors) == (1, 2, 2, 1)
    assert (result.pass_at_1, result.pass_at_1_without_infrastructure_errors) == (0.5, 1.0)
    assert [record.reward for record in result.records] == [1.0, None]


def test_a_trial_that_never_ran_counts_as_missing():
    result = summarize("s", ["a", "b"], [trial("a", 1.0)], "job", attempts=2)
    assert (result.trials, result.infrastructure_errors, result.pass_at_1) == (4, 3, 0.25)


def test_an_agent_that_ran_out_of_context_without_a_verdict_failed():
    result = summarize("s", ["a"], [trial("a", None, "ContextLengthExceededError")], "job")
    assert (result.pass_at_1, result.infrastructure_errors) == (0.0, 0)


def test_a_reward_after_a_timeout_counts():
    result = summarize("s", ["a"], [trial("a", 1.0, "AgentTimeoutError")], "job")
    assert result.solved == 1
    assert result.records[0].exception == "AgentTimeoutError"


def test_trials_of_other_tasks_in_the_folder_do_not_count():
    assert summarize("s", ["a"], [trial("a", 0.0), trial("old", 1.0)], "job").solved == 0


def test_groups_are_scored_apart():
    trials = [trial("x1", 1.0), trial("x2", 0.0), trial("y1", None, "SandboxError")]
    result = summarize("s", ["x1", "x2", "y1"], trials, "job", groups=lambda task: task[0])
    assert list(result.per_group) == ["x", "y"]
    assert (result.per_group["x"]["solved"], result.per_group["x"]["tasks"]) == (1, 2)
    assert result.per_group["y"]["infrastructure_errors"] == 1
    assert summarize("s", ["x1"], trials, "job").per_group == {}


def test_partial_rewards_enter_the_mean_but_solve_nothing_and_have_no_pass_at_k():
    result = summarize("s", ["a"], [trial("a", 0.5), trial("a", 0.0)], "job", attempts=2)
    assert (result.pass_at_1, result.solved, result.pass_at_k) == (0.25, 0, {})


def test_pass_at_k_reaches_as_far_as_the_attempts():
    trials = [trial("a", float(i == 0)) for i in range(5)]
    assert summarize("s", ["a"], trials, "job", attempts=5).pass_at_k == pytest.approx(
        {2: 0.4, 4: 0.8, 5: 1.0}
    )


def test_mean_turns_is_over_trials_that_had_turns():
    trials = [trial("a", 1.0, turns=2), trial("b", 0.0, turns=5), trial("c", None, "SandboxError", None)]
    assert summarize("s", ["a", "b", "c"], trials, "job").mean_turns == 3.5


def test_the_record_is_strict_json_even_when_numbers_are_undefined():
    result = summarize("s", ["a"], [trial("a", None, "SandboxError", None)], "job")
    assert math.isnan(result.mean_turns)
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["mean_turns"] is None
    assert plain["interval_without_infrastructure_errors"] == [None, None]
    assert plain["records"][0]["exception"] == "SandboxError"


def test_pass_at_k_has_both_forms_where_every_task_left_has_trials_enough():
    """b lost one of its two trials, c both."""
    trials = [trial("a", 1.0), trial("a", 0.0), trial("b", 1.0)] + [
        trial(t, None, "SandboxError") for t in "bcc"
    ]
    result = summarize("s", ["a", "b", "c"], trials, "job", attempts=2)
    assert result.pass_at_k == {2: pytest.approx(2 / 3)}
    assert result.pass_at_k_without_infrastructure_errors == {}
    assert result.valid_rewards_by_task() == {"a": [1.0, 0.0], "b": [1.0], "c": []}


def test_errors_are_counted_by_class():
    trials = [trial("a", 1.0, "AgentTimeoutError"), trial("b", None, "SandboxError"), trial("c", 1.0)]
    result = summarize("s", ["a", "b", "c", "d"], trials, "job")
    assert result.errors == {"AgentTimeoutError": 1, "SandboxError": 1, "not run": 1}
    assert result.timed_out == pytest.approx(1 / 3)


def test_a_verifier_that_could_not_download_its_tools_is_no_zero(tmp_path):
    """One form counts it as not solved, as the leaderboard does, the other leaves it out."""
    trouble = "curl: (6) Could not resolve host: astral.sh\n"
    folders = [write_trial(tmp_path / str(n), f"t{n}", 0.0, stdout=trouble) for n in range(2)]
    folders += [
        write_trial(tmp_path / str(n), f"t{n}", n - 2.0, stdout="1 passed in 0.1s\n" + trouble)
        for n in (2, 3)
    ]
    trials = [read_result(folder) for folder in folders]
    result = summarize("s", [f"t{n}" for n in range(4)], trials, tmp_path)
    assert (result.pass_at_1, result.pass_at_1_without_infrastructure_errors) == (0.25, 0.5)
    assert (result.infrastructure_errors, result.leaderboard.accuracy) == (2, 0.25)
    assert result.errors == {"VerifierBootstrapError": 2}
    assert [record.trouble for record in result.records] == ["download", "download", None, None]


def test_a_reward_stands_whatever_the_verifier_said_on_its_way(tmp_path):
    folder = write_trial(tmp_path / "x", "a", 1.0, stdout="E: Unable to locate package x\n")
    assert summarize("s", ["a"], [read_result(folder)], tmp_path).pass_at_1_without_infrastructure_errors == 1


class Agent:
    name, version, model, config = "terminus-2", "2", "m", {}


class FakeJob:
    """Stands for `run_job`: keeps what is finished, gives each other trial the next of its outcomes."""

    def __init__(self, **outcomes):
        self.outcomes = {task: list(of_task) for task, of_task in outcomes.items()}
        self.runs: list[list[str]] = []

    def __call__(self, tasks, make_agent, job_dir, *, attempts, on_trial, only=None, **_):
        self.runs.append([])
        for name, task in planned_names({t.name: t.checksum for t in tasks}, attempts).items():
            found = read_result(job_dir / name)
            if (only is not None and name not in only) or (found and not found.is_infrastructure_error):
                continue
            shutil.rmtree(job_dir / name, ignore_errors=True)
            self.runs[-1].append(task)
            on_trial(read_result(write_trial(job_dir / name, task, self.outcomes[task].pop(0))))


@pytest.fixture
def fake(monkeypatch):
    def make(**outcomes) -> FakeJob:
        job = FakeJob(**outcomes)
        monkeypatch.setattr("eval.evaluate.run_job", job)
        return job

    return make


def test_a_rerun_runs_what_was_lost_and_scores_the_same_job(fake, tmp_path):
    job = fake(a=[1.0], b=["SandboxError", 0.0])
    first = evaluate("s", named_tasks("a", "b"), Agent, tmp_path)
    again = evaluate("s", named_tasks("a", "b"), Agent, tmp_path)
    assert job.runs == [["a", "b"], ["b"]]
    assert (first.infrastructure_errors, again.infrastructure_errors, again.pass_at_1) == (1, 0, 0.5)


@pytest.mark.parametrize("damage", ["", "{", '{"trial_name": "other"}'])
def test_a_damaged_trial_is_lost_not_zero(fake, tmp_path, damage):
    job = fake(a=[1.0, 1.0])
    evaluate("s", named_tasks("a"), Agent, tmp_path)
    (file,) = tmp_path.glob("a__*/result.json")
    file.write_text(damage)
    assert load_result(tmp_path).errors == {"not run": 1}
    assert evaluate("s", named_tasks("a"), Agent, tmp_path).pass_at_1 == 1
    assert job.runs == [["a"], ["a"]]


def test_other_tasks_agents_or_attempts_in_the_same_folder_are_refused(fake, tmp_path):
    fake(a=[1.0])
    evaluate("s", named_tasks("a"), Agent, tmp_path)
    for tasks, more in ((named_tasks("b"), {}), (named_tasks("a"), {"attempts": 2})):
        with pytest.raises(ConfigError, match="holds an evaluation with another"):
            evaluate("s", tasks, Agent, tmp_path, **more)
    assert load_result(tmp_path).pass_at_1 == 1


def test_errors_that_may_pass_run_again_as_often_as_asked(fake, tmp_path):
    job = fake(a=[1.0], b=["SandboxError"] * 2 + [1.0], c=["VerifierTimeoutError"])
    tasks = named_tasks("a", "b", "c")
    result = evaluate("s", tasks, Agent, tmp_path, retries=5, retry_on=["SandboxError"])
    assert job.runs == [["a", "b", "c"], ["b"], ["b"]]
    assert result.errors == {"VerifierTimeoutError": 1} and result.solved == 2


def test_without_retries_nothing_runs_twice(fake, tmp_path):
    job = fake(a=["SandboxError"])
    evaluate("s", named_tasks("a"), Agent, tmp_path, retry_on=["SandboxError"])
    assert job.runs == [["a"]]


def test_a_shard_runs_and_scores_its_part(fake, tmp_path):
    job = fake(a=[1.0, 1.0], b=[0.0, 0.0])
    results = [
        evaluate("s", named_tasks("a", "b"), Agent, tmp_path / part[0], attempts=2, shard=part)
        for part in ("1/2", "2/2")
    ]
    assert job.runs == [["a", "a"], ["b", "b"]]
    assert [(result.trials, result.pass_at_1) for result in results] == [(2, 1.0), (2, 0.0)]
    whole = merge([tmp_path / "1", tmp_path / "2"], tmp_path / "whole")
    assert (whole.trials, whole.pass_at_1, whole.errors) == (4, 0.5, {})


def test_the_oracle_solves_and_nop_does_not(engine, make_task, tmp_path, capfd):
    tasks = [make_task("one", metadata={"category": "x"}), make_task("two", metadata={"category": "y"})]
    groups = {task.name: task.config.metadata["category"] for task in tasks}.__getitem__
    results = {}
    for agent in (Oracle, Nop):
        job = tmp_path / f"job-{agent.name}"
        results[agent.name] = evaluate(agent.name, tasks, agent, job, concurrency=2, groups=groups)
        assert json.loads((job / RESULT_FILE).read_text())["tasks"] == 2
    assert results["oracle"].solved == 2
    assert results["oracle"].per_group["x"]["solved"] == 1
    assert results["nop"].pass_at_1 == 0 and results["nop"].infrastructure_errors == 0
    assert results["oracle"].conditions["agent"] != results["nop"].conditions["agent"]
    assert results["oracle"].conditions["tasks"] == results["nop"].conditions["tasks"]
    assert "2/2 trials" in capfd.readouterr().err


def test_a_finished_job_is_scored_again_without_running(engine, make_task, tmp_path, capfd):
    task = make_task()
    first = evaluate("oracle", [task], Oracle, tmp_path / "job")
    capfd.readouterr()
    again = evaluate("oracle", [task], Oracle, tmp_path / "job")
    assert again == first
    assert (
        "1/1 trials, 1 solved, 100 % of those judged, 0 infrastructure errors, 0.0 trials/min"
        in capfd.readouterr().err
    )
