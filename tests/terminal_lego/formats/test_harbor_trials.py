import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal_lego.formats import read_trajectories

JSON = '{"analysis": "a", "plan": "p", "commands": [{"keystrokes": "ls\\n", "duration": 0.10}]}'
RAW = f"Sure!\n```json\n{JSON}\n```\r\n"
LOSSY = {
    "source": "agent",
    "message": "Analysis: a\nPlan: p",
    "tool_calls": [
        {"tool_call_id": "c", "function_name": "bash_command", "arguments": {"keystrokes": "ls\n"}}
    ],
    "observation": {"results": [{"content": "screen"}]},
}
UNPARSED = {
    "source": "agent",
    "message": "hello",
    "observation": {"results": [{"content": "ERROR: no JSON"}]},
}


RESULT_KEYS = ["config", "source", "task_name", "verifier_result", "rewards", "reward", "exception_info"]
KEYS = [*RESULT_KEYS, "exception_type", "task", "path", "agent", "model_name"]


def make_objects(inner):
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner)


def make(folder, steps=(LOSSY,), replies=(RAW,), **files):
    """A trial directory; `files` are top-level JSON files by stem."""
    (folder / "agent").mkdir(parents=True)
    steps = [{"source": "user", "message": "do it"}, *steps]
    numbered = [{"step_id": number} | step for number, step in enumerate(steps, start=1)]
    document = {
        "schema_version": "ATIF-v1.5",
        "agent": {"name": "terminus-2", "version": "2.0.0"},
        "steps": numbered,
    }
    (folder / "agent" / "trajectory.json").write_text(json.dumps(document))
    for number, reply in enumerate(replies):
        (folder / "agent" / f"episode-{number}").mkdir()
        (folder / "agent" / f"episode-{number}" / "response.txt").write_bytes(reply.encode())
    for stem, content in files.items():
        (folder / f"{stem}.json").write_text(json.dumps(content))
    return folder


def result(reward, **fields):
    return {"task_name": "some-task", "trial_name": "t__1", "verifier_result": {"rewards": reward}} | fields


def only(path):
    read = read_trajectories(path)
    assert read.set_aside == []
    (trajectory,) = read.trajectories
    return trajectory


def test_episodes_count_on_through_a_continuation(tmp_path):
    other = RAW.replace("Sure!", "Again!")
    folder = make(tmp_path / "t__1", replies=(RAW, other), result=result({"reward": 1.0}))
    file = folder / "agent" / "trajectory.json"
    document = json.loads(file.read_text())
    (folder / "agent" / "trajectory.cont-1.json").write_text(json.dumps(document))
    file.write_text(json.dumps(document | {"continued_trajectory_ref": "trajectory.cont-1.json"}))
    first, second = read_trajectories(folder).trajectories
    assert (first.turns[0].reply, second.turns[0].reply) == (RAW, other)
    assert (first.id, second.id) == ("t__1", "t__1#1")
    assert first.reward == second.reward == 1.0


def test_episodes_count_on_through_a_summary(tmp_path):
    third = RAW.replace("Sure!", "Third!")
    handoff = {"source": "user", "message": "handoff"}
    folder = make(tmp_path / "t__1", (LOSSY, handoff, LOSSY), (RAW, RAW, third))
    file = folder / "agent" / "trajectory.json"
    document = json.loads(file.read_text())
    (folder / "agent" / "trajectory.cont-1.json").write_text(
        json.dumps(document | {"steps": document["steps"][:2]})
    )
    file.write_text(json.dumps(document | {"continued_trajectory_ref": "trajectory.cont-1.json"}))
    first, second = read_trajectories(folder).trajectories
    assert first.extra["cut_at_summary"] is True
    assert "cut_at_summary" not in second.extra
    assert [turn.reply for turn in (*first.turns, *second.turns)] == [RAW, third]


def test_the_raw_reply_comes_from_the_episode_byte_for_byte(tmp_path):
    steps, replies = (LOSSY, UNPARSED, LOSSY), (RAW, "hello", "<think>x</think>" + RAW)
    trajectory = only(make(tmp_path / "t__1", steps, replies, result=result({"reward": 1.0})))
    assert [turn.reply for turn in trajectory.turns] == list(replies)
    assert all(turn.is_raw for turn in trajectory.turns)


@pytest.mark.parametrize(
    "replies", [(), (RAW.replace("ls", "rm"),), (RAW.replace('"a"', '"b"'),), ("prose",)]
)
def test_a_reply_that_is_lost_or_belongs_to_another_step_is_not_raw(tmp_path, replies):
    (turn,) = only(make(tmp_path / "t__1", replies=replies)).turns
    assert (turn.reply, turn.is_raw) == (LOSSY["message"], False)


@pytest.mark.parametrize(
    ("rewards", "reward"),
    [
        ({"reward": 1.0}, 1.0),
        ({"reward": 0.25}, 0.25),
        ({"accuracy": 1}, 1.0),
        ({"reward": 0, "style": 1}, 0.0),
        ({"a": 0, "b": 1}, None),
        ({"reward": None}, None),
        ({"reward": "1"}, None),
        ({"reward": float("nan")}, None),
        ({}, None),
        (None, None),
    ],
)
def test_rewards(tmp_path, rewards, reward):
    assert only(make(tmp_path / "t__1", result=result(rewards))).reward == reward


def test_a_reward_beside_a_timeout_keeps_both(tmp_path):
    info = {"exception_type": "AgentTimeoutError", "exception_message": "…"}
    trajectory = only(make(tmp_path / "t__1", result=result({"reward": 1.0}, exception_info=info)))
    assert (trajectory.reward, trajectory.exception) == (1.0, "AgentTimeoutError")


@pytest.mark.parametrize("files", [{}, {"result": None}])
def test_without_a_result_the_other_files_tell(tmp_path, files):
    config = {"task": {"path": "set/some-task"}, "agent": {"model_name": "some/model"}}
    folder = make(tmp_path / "some__1", config=config, **files)
    (folder / "verifier").mkdir()
    (folder / "verifier" / "reward.txt").write_text("0.5\n")
    (folder / "exception.txt").write_text(
        "Traceback\n  File x\nValueError: a\n\nlib.errors.BadRequestError: too long\n"
    )
    trajectory = only(folder)
    assert (trajectory.task, trajectory.model) == ("some-task", "some/model")
    assert (trajectory.reward, trajectory.exception) == (0.5, "BadRequestError")


def test_seconds_come_from_the_request_times(tmp_path):
    info = {"metadata": {"api_request_times_msec": [1500.0]}}
    assert only(make(tmp_path / "t__1", result=result({}, agent_result=info))).turns[0].seconds == 1.5


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), make_objects, max_leaves=12))
@settings(deadline=None, max_examples=100)
def test_any_json_in_the_small_files_is_survived(tmp_path_factory, data):
    read = read_trajectories(make(tmp_path_factory.mktemp("t") / "t__1", result=data, config=data))
    assert len(read.trajectories) + len(read.set_aside) == 1


def test_a_job_with_broken_trials_reads_the_whole_ones(tmp_path):
    job = tmp_path / "jobs" / "2026"
    make(job / "a__1", result=result({"reward": 1}))
    broken = make(job / "b__1")
    (broken / "result.json").write_text('{"task_name": ')
    half = make(job / "c__1")
    file = half / "agent" / "trajectory.json"
    file.write_bytes(file.read_bytes()[:-40])
    never = job / "d__1"
    (never / "agent").mkdir(parents=True)
    (never / "trial.log").write_text("")
    (never / "result.json").write_text(json.dumps({"exception_info": {"exception_type": "SandboxError"}}))
    for name in ("config.json", "result.json"):
        (job / name).write_text("{}")
    read = read_trajectories(tmp_path / "jobs")
    assert [trajectory.id for trajectory in read.trajectories] == ["jobs/2026/a__1"]
    reasons = {entry.source.rpartition("/")[2]: entry.reason for entry in read.set_aside}
    assert reasons.keys() == {"b__1", "c__1", "d__1"}
    assert reasons["b__1"].startswith("result.json: not valid JSON")
    assert reasons["c__1"].startswith("agent/trajectory.json: not valid JSON")
    assert reasons["d__1"] == "no agent/trajectory.json (ended by SandboxError)"
