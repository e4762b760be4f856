"""What published trajectories hold that a reader can stumble over: each is kept as it is, and visible."""

import json

import pytest

from terminal_lego.formats import read_trajectories

OBJECT = '{"analysis": "a", "plan": "p", "commands": [{"keystrokes": "ls\\n", "duration": 0.1}]}'
TERMINUS_1 = json.dumps(
    {
        "state_analysis": "a",
        "explanation": "e",
        "commands": [{"keystrokes": "ls\n", "is_blocking": True, "timeout_sec": 5}],
        "is_task_complete": True,
    }
)


def released(*replies, prompt="Task Description:\ndo it", **metadata):
    """A row as the released data has it: strictly alternating, ending with a reply."""
    texts = [prompt]
    for reply in replies:
        texts += [reply, "New Terminal Output:\n"]
    said = [{"from": ("human", "gpt")[n % 2], "value": text} for n, text in enumerate(texts[:-1])]
    return {"conversations": said, "metadata": metadata}


def read(tmp_path, *rows):
    (tmp_path / "rows.json").write_text(json.dumps(list(rows)))
    result = read_trajectories(tmp_path / "rows.json")
    assert result.set_aside == []
    return result.trajectories


def only_turn(tmp_path, reply):
    (trajectory,) = read(tmp_path, released(reply))
    (turn,) = trajectory.turns
    assert turn.reply == reply
    return turn


@pytest.mark.parametrize(
    "reply",
    [
        f"\n{OBJECT}",
        f"  {OBJECT}\r\n\n",
        f"Let me look:\n```json\n{OBJECT}\n```\nThat should do.",
        f"{OBJECT}\n{OBJECT.replace('ls', 'pwd')}",
        f"<think>\nshall I?\n</think>\n\n{OBJECT}",
    ],
    ids=["newline-first", "white-space", "fenced-with-prose", "several-objects", "think"],
)
def test_a_reply_is_kept_with_all_that_is_around_its_object(tmp_path, reply):
    turn = only_turn(tmp_path, reply)
    assert turn.is_raw
    assert [command.keystrokes for command in turn.commands] == ["ls\n"]


def test_a_reply_without_task_complete_declares_nothing(tmp_path):
    (trajectory,) = read(tmp_path, released(OBJECT))
    assert trajectory.turns[0].parsed.error == ""
    assert not trajectory.declared_done


def test_the_terminus_1_schema_is_seen_and_not_converted(tmp_path):
    turn = only_turn(tmp_path, TERMINUS_1)
    assert turn.is_raw
    assert turn.parsed.error == "Missing required fields: analysis, plan"
    assert turn.commands == ()
    assert not turn.parsed.task_complete


def test_one_task_id_for_different_tasks_keeps_both(tmp_path):
    rows = [released(OBJECT, prompt=prompt, reward=1, task_name="task_00001") for prompt in ("one", "two")]
    one, two = read(tmp_path, *rows)
    assert one.task == two.task == "task_00001"
    assert (one.prompt, two.prompt) == ("one", "two")
    assert one.id != two.id


@pytest.mark.parametrize("reward", [0, 1, 0.25, 1.0, -1, None])
def test_rewards_are_kept_as_numbers_and_fractions(tmp_path, reward):
    (trajectory,) = read(tmp_path, released(OBJECT, reward=reward))
    assert trajectory.reward == reward


def test_metadata_of_the_large_released_set(tmp_path):
    metadata = {"reward": 1, "task_path": "tasks/task_00001", "task_name": "task_00001", "source": "so"}
    (trajectory,) = read(tmp_path, released(OBJECT, **metadata))
    assert (trajectory.task, trajectory.reward, trajectory.model) == ("task_00001", 1.0, "")
    assert trajectory.extra == {"task_path": "tasks/task_00001", "source": "so"}


def test_a_task_that_its_own_solution_passes_is_no_reward(tmp_path):
    metadata = {"oracle_passed_task": "task_00001", "difficulty": "hard"}
    (trajectory,) = read(tmp_path, released(OBJECT, **metadata))
    assert (trajectory.task, trajectory.reward) == ("task_00001", None)
    assert trajectory.extra == metadata
    (trajectory,) = read(tmp_path, released(OBJECT, oracle_passed_task=True))
    assert (trajectory.task, trajectory.reward) == ("", None)
    assert trajectory.extra == {"oracle_passed_task": True}


def test_a_column_goes_before_the_same_name_in_the_metadata(tmp_path):
    row = released(OBJECT, reward=0, task_name="inner", difficulty="easy")
    row |= {"reward": 1, "task": "outer", "difficulty": None}
    (trajectory,) = read(tmp_path, row)
    assert (trajectory.reward, trajectory.task, trajectory.extra["difficulty"]) == (1.0, "outer", "easy")


def test_reward_1_beside_a_timeout_keeps_both(tmp_path):
    row = released(OBJECT, reward=1) | {"result": "AgentTimeoutError"}
    (trajectory,) = read(tmp_path, row)
    assert (trajectory.reward, trajectory.exception) == (1.0, "AgentTimeoutError")
