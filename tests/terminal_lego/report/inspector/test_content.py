import json
import math
from dataclasses import replace

import pytest

from terminal_lego.errors import RenderError
from terminal_lego.report.inspector import Entry, ReplyTokens
from terminal_lego.report.inspector.content import body, row
from terminal_lego.trajectory import Trajectory, Turn
from tests.terminal_lego.report.inspector.made import count_rows, port_change, rename_unicode


def of_event(shown: dict, event: int) -> str:
    """The characters of all replies that belong to a command."""
    runs = [run for turn in shown["turns"] for run in turn["reply"]]
    pieces = [part for owner, parts in runs if owner == event for part in parts]
    return "".join(part if isinstance(part, str) else part[0] for part in pieces)


def test_a_row_holds_what_the_list_filters_and_sorts_by():
    assert row(count_rows()) == {
        "id": "sharegpt.jsonl:412",
        "task": "count-rows",
        "model": "qwen3.5-plus",
        "reward": 0.0,
        "outcome": "failed",
        "tor": 0.0,
        "turns": 4,
        "tokens": None,
        "dropped": "reward below 1",
        "errors": 1,
        "warnings": 3,
    }


@pytest.mark.parametrize(
    ("reward", "outcome", "shown"),
    [(None, "none", None), (0.5, "failed", 0.5), (1.0, "passed", 1.0), (math.nan, "failed", "nan")],
)
def test_an_outcome_is_read_from_the_reward(reward, outcome, shown):
    found = row(Entry(Trajectory("i", "t", "m", "", (), reward)))
    assert (found["outcome"], found["reward"]) == (outcome, shown)
    json.dumps(found, allow_nan=False)


def test_commands_own_the_characters_that_spell_them_in_the_raw_reply():
    shown = body(port_change())
    assert of_event(shown, 0) == "ls -la /app"
    assert of_event(shown, 4) == "printf 'Port: 8080 → 9090 (8080 was taken)\\\\n' > /app/NOTES.md"
    assert of_event(body(rename_unicode()), 2) == "basename 'fox summer.txt'"


def test_only_actions_that_count_and_have_no_link_are_unsupported():
    shown = body(port_change())
    assert [event["unsupported"] for event in shown["events"]] == [index == 4 for index in range(9)]
    assert (shown["supported"], shown["actions"]) == (2, 3)
    assert shown["events"][3]["support"] == 1
    assert shown["events"][3]["about"] == "action · sed · changes /app/conf/server.toml"


def test_trained_tokens_are_counted_by_turn():
    entry = port_change()
    shown = body(entry)
    assert [turn["trained"] for turn in shown["turns"]] == [sum(own.weights) for own in entry.replies]
    assert [turn["tokens"] for turn in body(count_rows())["turns"]] == [None] * 4


@pytest.mark.parametrize("replies", [[ReplyTokens([1], [1.0])], [], [ReplyTokens([5], [1.0])] * 2])
def test_tokens_must_spell_the_replies(replies):
    entry = Entry(Trajectory("i", "t", "m", "", (Turn("hello"), Turn("you"))), replies=replies)
    with pytest.raises(RenderError, match=r"i: the tokens of the replies spell .* characters.*\[5, 3\]"):
        body(entry)


def test_every_token_needs_a_weight():
    with pytest.raises(RenderError, match="1 weights for 2 tokens"):
        ReplyTokens([1, 2], [1.0])


def test_what_the_source_says_is_told():
    facts = dict(body(port_change())["facts"])
    assert facts["id"] == "job-07/port-change__k2M9xQe"
    assert facts["agent"] == "terminus-2 2.0.1"
    assert '"seed": 7' in facts["extra"]
    assert dict(body(count_rows())["facts"])["ended by"] == "AgentTimeoutError"
    assert body(count_rows())["turns"][3]["notes"] == ["Copied from another trajectory."]


def test_of_commands_in_one_place_the_action_is_shown_and_the_other_stands_there():
    entry = port_change()
    cat, sed = entry.events[1], entry.events[3]
    events = [replace(cat, turn=1, command=0, start=sed.start, end=sed.end), sed]
    shown = body(replace(entry, events=events, links={}))
    assert of_event(shown, 0) == ""
    assert of_event(shown, 1).startswith("sed -i")
    assert [event["at"] for event in shown["events"]] == [1, 1]
