"""Trials other people recorded, read from the shared folder beside the project."""

import json
from pathlib import Path

import pytest

from terminal_lego.formats import read_trajectories, write_atif, write_parquet

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "trajectories"
pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="no recorded trials at ../shared/data/trajectories"
)


@pytest.fixture(scope="module")
def result():
    return read_trajectories(RECORDED)


def rollouts():
    lines = [line for file in RECORDED.rglob("*.jsonl") for line in file.read_text().splitlines()]
    return {row["metadata"]["trial_name"]: row for row in map(json.loads, lines)}


def test_every_trial_and_rollout_is_read(result):
    trials = {file.parent.name for file in RECORDED.rglob("trial.log")}
    assert {trajectory.extra["trial"] for trajectory in result.trajectories} == trials | rollouts().keys()
    assert len(result.trajectories) == len(trials) + len(rollouts())
    assert result.set_aside == []


def test_replies_are_the_recorded_bytes(result):
    """From the file that holds what the model's server sent to `Turn.reply`."""
    trials = [trajectory for trajectory in result.trajectories if trajectory.source.endswith(".json")]
    assert len(trials) == 7
    for trajectory in trials:
        agent = Path(trajectory.source).parent
        assert len(trajectory.turns) <= len(list(agent.glob("episode-*/response.txt")))
        assert trajectory.prompt.encode() == (agent / "episode-0" / "prompt.txt").read_bytes()
        for number, turn in enumerate(trajectory.turns):
            assert turn.reply.encode() == (agent / f"episode-{number}" / "response.txt").read_bytes()
            assert turn.is_raw
        for number, turn in enumerate(trajectory.turns[:-1], start=1):
            assert turn.observation.encode() == (agent / f"episode-{number}" / "prompt.txt").read_bytes()


def test_replies_of_a_rollout_are_the_recorded_text(result):
    for trajectory in result.trajectories:
        row = rollouts().get(trajectory.extra["trial"])
        if row is None:
            continue
        output = row["response"]["output"]
        replies = [item["content"][0]["text"] for item in output if item["type"] == "message"]
        screens = [item["output"] for item in output if item["type"] == "function_call_output"]
        assert [turn.reply for turn in trajectory.turns] == replies
        assert [turn.observation for turn in trajectory.turns] == screens
        assert trajectory.prompt == row["responses_create_params"]["input"][0]["content"]
        assert all(turn.is_raw and turn.seconds for turn in trajectory.turns)
        assert (trajectory.model, trajectory.agent) == ("nanov3", "terminus-2-nemo-gym")
        assert trajectory.task == "scientific_computing_task_0001"


def test_outcomes(result):
    outcomes = {t.extra["trial"]: (t.reward, t.exception, t.declared_done) for t in result.trajectories}
    assert outcomes == {
        "create-archive-json__2Nin3Lo": (0.0, None, True),
        "create-log-report-1__PFhAYyS": (1.0, None, True),
        "015_braintree__braintree_python___qnWhytM": (1.0, None, True),
        "030_amerkurev__doku__step17__sho__8P2qKZK": (0.0, "AgentTimeoutError", False),
        "build-pov-ray__KUVqjoT": (None, "BadRequestError", False),
        "fix-git__H3PR84C": (1.0, None, True),
        "fix-git__qbMeJzX": (1.0, None, True),
        "scientific_computing_task_0001__aVPgHuC": (0.0, None, True),
    }


def test_they_survive_our_own_formats(result, tmp_path):
    write_parquet(result.trajectories, tmp_path / "all.parquet")
    assert read_trajectories(tmp_path / "all.parquet").trajectories == result.trajectories
    for number, trajectory in enumerate(result.trajectories):
        write_atif(trajectory, tmp_path / f"{number}.json")
        assert read_trajectories(tmp_path / f"{number}.json").trajectories == [trajectory]
