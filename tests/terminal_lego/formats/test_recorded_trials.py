"""Trials other people recorded, read from the shared folder beside the project."""

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


def test_every_trial_and_rollout_is_accounted_for(result):
    trials = {file.parent.name for file in RECORDED.rglob("trial.log")}
    rollouts = sum(len(file.read_text().splitlines()) for file in RECORDED.rglob("*.jsonl"))
    assert trials == {trajectory.extra["trial"] for trajectory in result.trajectories}
    assert len(result.trajectories) + len(result.set_aside) == len(trials) + rollouts
    assert all("OpenAI Responses" in entry.reason for entry in result.set_aside)


def test_replies_are_the_recorded_bytes(result):
    for trajectory in result.trajectories:
        agent = Path(trajectory.source).parent
        assert trajectory.prompt.encode() == (agent / "episode-0" / "prompt.txt").read_bytes()
        for number, turn in enumerate(trajectory.turns):
            assert turn.reply.encode() == (agent / f"episode-{number}" / "response.txt").read_bytes()
            assert turn.is_raw
        for number, turn in enumerate(trajectory.turns[:-1], start=1):
            assert turn.observation.encode() == (agent / f"episode-{number}" / "prompt.txt").read_bytes()


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
    }


def test_they_survive_our_own_formats(result, tmp_path):
    write_parquet(result.trajectories, tmp_path / "all.parquet")
    assert read_trajectories(tmp_path / "all.parquet").trajectories == result.trajectories
    for number, trajectory in enumerate(result.trajectories):
        write_atif(trajectory, tmp_path / f"{number}.json")
        assert read_trajectories(tmp_path / f"{number}.json").trajectories == [trajectory]
