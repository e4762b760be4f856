import json

import pytest

from terminal_lego.formats import read_trajectories


def chat(*texts, roles=("user", "assistant")):
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]


def read(tmp_path, row):
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    return read_trajectories(tmp_path / "rows.jsonl")


def only(tmp_path, row):
    result = read(tmp_path, row)
    assert result.set_aside == []
    (trajectory,) = result.trajectories
    return trajectory


SHAREGPT = [
    {"from": "human", "value": "q"},
    {"from": "gpt", "value": " a\r\n"},
    {"from": "human", "value": "end"},
]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": chat("q", " a\r\n", "end")},
        {"conversations": chat("q", " a\r\n", "end")},
        {"conversations": SHAREGPT},
        {"messages": json.dumps(chat("q", " a\r\n", "end"))},
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "q"}]},
                *chat("q", " a\r\n", "end")[1:],
            ]
        },
    ],
)
def test_every_shape_of_messages(tmp_path, row):
    trajectory = only(tmp_path, row)
    assert trajectory.messages() == chat("q", " a\r\n")
    assert trajectory.turns[0].observation == "end"
    assert trajectory.id == "rows.jsonl:1"


def test_a_system_message_joins_the_first_prompt(tmp_path):
    row = {"messages": [{"role": "system", "content": "rules"}, *chat("q", "a")]}
    assert only(tmp_path, row).prompt == "rules\n\nq"
    row["messages"][0]["content"] = ""
    assert only(tmp_path, row).prompt == "q"


def test_columns(tmp_path):
    row = {
        "messages": chat("q", "a"),
        "task": "t",
        "model": "m",
        "reward": 1,
        "difficulty": "easy",
        "seed": None,
    }
    trajectory = only(tmp_path, row)
    assert (trajectory.task, trajectory.model, trajectory.reward) == ("t", "m", 1.0)
    assert trajectory.extra == {"difficulty": "easy"}


@pytest.mark.parametrize(
    ("outcome", "reward", "exception"),
    [
        ("1.0", 1.0, None),
        ("0.0", 0.0, None),
        ("AgentTimeoutError", None, "AgentTimeoutError"),
        ("", None, None),
    ],
)
def test_exported_results_are_a_reward_or_an_exception(tmp_path, outcome, reward, exception):
    trajectory = only(tmp_path, {"conversations": chat("q", "a"), "result": outcome})
    assert (trajectory.reward, trajectory.exception) == (reward, exception)


def test_a_reconstructed_reply_is_not_raw(tmp_path):
    rows = chat("q", "<think>hm</think>\nAnalysis: a\nPlan: p\n<tool_call>{}</tool_call>", "o", "prose")
    assert [turn.is_raw for turn in only(tmp_path, {"messages": rows}).turns] == [False, True]


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([], "not a list of messages"),
        ("[", "not valid JSON"),
        (3, "not a list of messages"),
        (["x"], "message 1: not an object"),
        (chat("q"), "no reply"),
        (chat("a", roles=("assistant", "user")), "follows no prompt"),
        (chat("q", "a", roles=("user", "tool")), "message 2: role 'tool'"),
        (
            chat("q", "a", "b", roles=("user", "gpt")) + chat("c", roles=("gpt", "user")) * 2,
            "follows no prompt",
        ),
        ([*chat("q"), {"role": "assistant", "content": None}], "without content"),
        ([*chat("q"), {"role": "assistant", "content": "x", "tool_calls": [{}]}], "tool calls"),
        ([*chat("q"), {"role": "assistant", "content": [{"type": "image"}]}], "other than text"),
    ],
)
def test_what_is_no_exchange_is_set_aside_with_a_reason(tmp_path, messages, why):
    result = read(tmp_path, {"messages": messages})
    assert result.trajectories == []
    assert why in result.set_aside[0].reason
