import json
import math
from pathlib import Path

import pytest

from eval.evaluate import RESULT_FILE, evaluate, summarize
from terminal_lego.harness.agents.nop import Nop
from terminal_lego.harness.agents.oracle import Oracle
from terminal_lego.harness.trial import TrialResult


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
    assert "1/1 trials, 1 solved, 0 infrastructure errors, 0.0 trials/min" in capfd.readouterr().err
