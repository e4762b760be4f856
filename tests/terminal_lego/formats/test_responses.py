import json

import pytest

from terminal_lego.formats import read_trajectories

RAW = '\n{"analysis": "a", "plan": "p", "commands": [{"keystrokes": "ls\\n", "duration": 0.10}]}'
CALL = {
    "type": "function_call",
    "name": "bash_command",
    "call_id": "c",
    "arguments": '{"keystrokes": "ls\\n", "duration": 0.1}',
}
RESULT = {
    "task_name": "some-task",
    "trial_name": "some-task__1",
    "agent_info": {"name": "terminus-2-gym", "version": "2.0.0"},
    "agent_result": {"metadata": {"api_request_times_msec": [1500.0]}},
    "verifier_result": {"rewards": {"reward": 0.5}},
    "exception_info": {"exception_type": "AgentTimeoutError"},
}


def said(text, role="assistant"):
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def screen(text):
    return {"type": "function_call_output", "call_id": "c", "output": text}


def thought(text):
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}


def rollout(*output, prompt="do it", **fields):
    given = {"input": prompt, "instructions": None}
    response = {"model": "some/model", "status": "completed", "output": list(output)}
    return {"responses_create_params": given, "response": response} | fields


def read(tmp_path, row):
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    return read_trajectories(tmp_path / "rows.jsonl")


def only(tmp_path, row):
    result = read(tmp_path, row)
    assert result.set_aside == []
    (trajectory,) = result.trajectories
    return trajectory


def test_replies_are_the_message_text_byte_for_byte(tmp_path):
    row = rollout(said(RAW), CALL, screen("one"), said("prose"), screen("two"))
    trajectory = only(tmp_path, row)
    assert [(turn.reply, turn.observation) for turn in trajectory.turns] == [(RAW, "one"), ("prose", "two")]
    assert all(turn.is_raw for turn in trajectory.turns)
    assert (trajectory.prompt, trajectory.model, trajectory.id) == ("do it", "some/model", "rows.jsonl:1")
    assert (trajectory.reward, trajectory.exception, trajectory.task) == (None, None, "")


def test_the_trial_beside_it_tells_the_rest(tmp_path):
    trajectory = only(tmp_path, rollout(said(RAW), reward=1.0, metadata=RESULT, instance_id="set::1"))
    assert (trajectory.task, trajectory.reward, trajectory.exception) == (
        "some-task",
        1.0,
        "AgentTimeoutError",
    )
    assert (trajectory.agent, trajectory.agent_version) == ("terminus-2-gym", "2.0.0")
    assert trajectory.turns[0].seconds == 1.5
    assert trajectory.extra == {"trial": "some-task__1", "instance_id": "set::1"}
    assert only(tmp_path, rollout(said(RAW), metadata=RESULT)).reward == 0.5


@pytest.mark.parametrize(
    ("calls", "raw"),
    [
        ([], True),
        ([CALL], True),
        ([CALL, {"type": "function_call", "name": "mark_task_complete", "arguments": "{}"}], True),
        ([CALL | {"arguments": '{"keystrokes": "rm -r /\\n"}'}], False),
        ([CALL, CALL], False),
        ([CALL | {"arguments": "{"}], False),
        ([CALL | {"arguments": None}], False),
    ],
)
def test_calls_are_a_view_of_the_reply_or_the_reply_is_not_raw(tmp_path, calls, raw):
    (turn,) = only(tmp_path, rollout(said(RAW), *calls, screen("x"))).turns
    assert (turn.reply, turn.is_raw) == (RAW, raw)


def test_calls_beside_prose_are_not_in_the_text(tmp_path):
    assert not only(tmp_path, rollout(said("I will look."), CALL, screen("x"))).turns[0].is_raw


def test_a_reply_in_several_parts_is_not_raw(tmp_path):
    item = said(RAW) | {"content": said("a")["content"] + said("b")["content"]}
    (turn,) = only(tmp_path, rollout(item)).turns
    assert (turn.reply, turn.is_raw) == ("ab", False)


def test_reasoning_belongs_to_the_reply_after_it(tmp_path):
    row = rollout(
        thought("hm"), said(RAW), screen("x"), thought("so"), thought(""), said("b"), said("u", "user")
    )
    trajectory = only(tmp_path, row)
    assert [turn.reasoning for turn in trajectory.turns] == ["hm", "so"]
    assert trajectory.turns[1].observation == "u"


def test_several_outputs_are_one_observation(tmp_path):
    assert only(tmp_path, rollout(said(RAW), screen("a"), screen("b"))).turns[0].observation == "a\nb"


def test_what_the_input_holds_comes_first(tmp_path):
    prompt = [said("rules", "developer"), said("do it", "user"), said("earlier"), said("seen", "user")]
    trajectory = only(tmp_path, rollout(said(RAW), prompt=prompt))
    assert trajectory.prompt == "rules\n\ndo it"
    assert [(turn.reply, turn.observation, turn.is_copied) for turn in trajectory.turns] == [
        ("earlier", "seen", True),
        (RAW, "", False),
    ]


def test_an_answer_that_was_cut_off_says_so(tmp_path):
    row = rollout(said(RAW))
    row["response"]["status"] = "incomplete"
    assert only(tmp_path, row).extra == {"status": "incomplete"}


REFUSAL = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (rollout(), "no reply"),
        (rollout(screen("x")), "output 0: an output before the first reply"),
        (rollout(CALL), "output 0: a tool call without the reply"),
        (rollout(said(RAW), screen("x"), CALL), "output 2: a tool call without the reply"),
        (rollout(said(RAW), said(RAW)), "output 1: a reply that follows no output"),
        (rollout(said(RAW), CALL, said(RAW)), "output 2: a reply that follows no output"),
        (rollout(said(RAW), screen("x"), thought("hm")), "ends in reasoning"),
        (rollout(said(RAW), screen("x"), thought("hm"), CALL), "output 3: a tool call without"),
        (rollout(REFUSAL), "output 0: a refusal"),
        (rollout({"type": "web_search_call"}), "output 0: an item of type 'web_search_call'"),
        (rollout(said(RAW) | {"content": None}), "output 0: a reply without content"),
        (rollout(said(RAW) | {"content": [{"type": "input_image"}]}), "other than text"),
        (rollout("text"), "output 0: an item of type None"),
        (rollout(said(RAW), prompt=[]), "output 0: a reply that follows no prompt"),
        (rollout(said(RAW), prompt=[said("x")]), "input 0: a reply that follows no prompt"),
        (rollout() | {"response": None}, "response.output is missing"),
        (rollout() | {"responses_create_params": None}, "no reply"),
    ],
)
def test_what_is_no_exchange_is_set_aside_with_a_reason(tmp_path, row, why):
    result = read(tmp_path, row)
    assert result.trajectories == []
    assert why in result.set_aside[0].reason
