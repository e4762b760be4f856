import json
from collections.abc import Callable
from pathlib import Path

import pytest

from terminal_lego.errors import AgentTimeoutError, ModelUnavailableError
from terminal_lego.harness.agents import AgentResult
from terminal_lego.harness.agents.nop import Nop
from terminal_lego.harness.agents.oracle import Oracle
from terminal_lego.harness.record import TrialResult
from terminal_lego.harness.steps import mean_rewards
from terminal_lego.harness.trial import run_trial

REWARD = "/logs/verifier/reward.txt"


class Works:
    """Runs a line of its own per step, and raises where it is told to."""

    name, version, model = "works", "1", None

    def __init__(self, commands: dict[str, str] | None = None, errors: dict[str, Exception] | None = None):
        self.commands, self.errors = commands or {}, errors or {}

    def run(self, task, sandbox, trial_dir, deadline) -> AgentResult:
        output = sandbox.exec(self.commands.get(task.step, f"touch {task.step}")).output
        (trial_dir / "agent" / "seen.txt").write_text(f"{task.instruction}{output}")
        if task.step in self.errors:
            raise self.errors[task.step]
        return AgentResult(turns=1)


@pytest.fixture
def run(engine, make_task: Callable, tmp_path: Path) -> Callable[..., TrialResult]:
    """A trial of a task of the steps one and two; each asks for a file of its name."""

    def run(agent, steps: dict[str, dict] | None = None, files: dict[str, str] | None = None, **tables):
        parts = {}
        for name in ("one", "two"):
            parts[f"steps/{name}/instruction.md"] = f"Make {name}.\n"
            parts[f"steps/{name}/tests/test.sh"] = f"#!/bin/sh\n[ -e {name} ]; echo $((1 - $?)) > {REWARD}\n"
            parts[f"steps/{name}/solution/solve.sh"] = f"#!/bin/sh\ntouch {name}\n"
        tables["steps"] = [{"name": name, **(steps or {}).get(name, {})} for name in ("one", "two")]
        task = make_task(test="exit 1", solution=None, files={**parts, **(files or {})}, **tables)
        return run_trial(task, agent, tmp_path / "job" / "task__0000000", client=engine)

    return run


def results(trial: TrialResult) -> list[tuple]:
    return [
        (
            step["step_name"],
            (step["verifier_result"] or {}).get("rewards"),
            (step["exception_info"] or {}).get("exception_type"),
        )
        for step in trial.data["step_results"]
    ]


def test_oracle_is_one_and_nop_is_zero(run):
    trial = run(Oracle())
    assert (trial.reward, results(trial)) == (1, [("one", {"reward": 1}, None), ("two", {"reward": 1}, None)])
    assert json.loads((trial.path / "result.json").read_text()) == trial.data


def test_nobody_gets_nothing(run):
    assert run(Nop()).reward == 0


def test_every_step_has_its_folder_and_its_time(run):
    trial = run(Works({"two": "ls /tests /solution /logs/verifier 2>/dev/null; [ -e one ] && touch two"}))
    assert (trial.path / "steps" / "one" / "agent" / "seen.txt").read_text() == "Make one.\n"
    # Nothing of the first grading is left for the second agent, and its work is.
    assert (trial.path / "steps" / "two" / "agent" / "seen.txt").read_text() == "Make two.\n/logs/verifier:\n"
    assert (trial.path / "steps" / "two" / "verifier" / "reward.txt").read_text() == "1\n"
    assert list((trial.path / "verifier").iterdir()) == []
    one, two = trial.data["step_results"]
    assert one["verifier"]["finished_at"] <= two["agent_execution"]["started_at"]
    assert one["agent_result"]["metadata"]["n_episodes"] == 1
    assert trial.reward == 1


@pytest.mark.parametrize(("strategy", "reward"), [("mean", 0.5), ("final", 1)])
def test_the_trials_reward(run, strategy, reward):
    trial = run(Works({"one": "true"}), multi_step_reward_strategy=strategy)
    assert trial.reward == reward


@pytest.mark.parametrize(
    ("least", "steps"), [(1, ["one"]), ({"reward": 1}, ["one"]), ({"other": 0}, ["one"]), (0, ["one", "two"])]
)
def test_a_missed_reward_ends_the_trial(run, least, steps):
    trial = run(Nop(), {"one": {"min_reward": least}})
    assert [name for name, *_ in results(trial)] == steps
    assert (trial.reward, trial.exception_type) == (0, None)


def test_time_used_up_in_a_step_is_verified_and_the_next_begins(run):
    trial = run(Works(errors={"one": AgentTimeoutError("late")}))
    assert results(trial) == [("one", {"reward": 1}, "AgentTimeoutError"), ("two", {"reward": 1}, None)]
    assert trial.reward == 1


def test_a_step_lost_to_the_machinery_costs_the_verdict(run):
    trial = run(Works(errors={"two": ModelUnavailableError("503")}))
    assert results(trial) == [("one", {"reward": 1}, None), ("two", None, "ModelUnavailableError")]
    assert (trial.reward, trial.exception_type) == (None, "ModelUnavailableError")
    assert trial.is_infrastructure_error
    assert (trial.path / "steps" / "two" / "agent" / "seen.txt").exists()


def test_a_step_brings_files_and_a_set_up(run):
    files = {"steps/two/workdir/data": "", "steps/two/workdir/setup.sh": "mv data two\n"}
    check = {"command": "test -e two", "retries": 1}
    assert run(Works({"two": "true"}), {"two": {"healthcheck": check}}, files).reward == 1


@pytest.mark.parametrize(
    ("steps", "setup", "error"),
    [
        ({}, "exit 3", "StepSetupError"),
        ({"one": {"healthcheck": {"command": "false", "retries": 1}}}, "true", "HealthcheckError"),
    ],
)
def test_a_step_that_cannot_begin_is_typed(run, steps, setup, error):
    trial = run(Works(), steps, {"steps/one/workdir/setup.sh": f"{setup}\n"})
    assert (results(trial), trial.exception_type) == ([("one", None, error)], error)


def test_a_name_that_a_step_does_not_have_counts_as_zero():
    assert mean_rewards([{"a": 1, "b": 1}, {"a": 0.5}]) == {"a": 0.75, "b": 0.5}
