from pathlib import Path

import pytest

from terminal_lego.curation import Dropped, Selection
from terminal_lego.rendering.masks import MaskConfig
from terminal_lego.rendering.render import render_trajectory, render_turns
from terminal_lego.rendering.thinking import OFF, pinned
from terminal_lego.rendering.tokenizer import load_tokenizer
from terminal_lego.report.inspector.entries import entries
from terminal_lego.trajectory import Trajectory, Turn

BASE = Path(__file__).parents[4] / "recipes" / "quickstart" / "base"
LOOK = '{"analysis": "é", "plan": "", "commands": [{"keystrokes": "ls /a\\n", "duration": 0.1}]}'
ACT = '{"analysis": "", "plan": "", "commands": [{"keystrokes": "touch /a/b\\n", "duration": 0.1}]}'


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(str(BASE))


def trajectory(id="t", *replies: str) -> Trajectory:
    turns = tuple(Turn(reply, "screen") for reply in replies or (LOOK, ACT))
    return Trajectory(id, "task", "m", "prompt", turns)


def test_what_supports_what_is_kept():
    (entry,) = entries(Selection([trajectory()], [], []), MaskConfig())
    assert [event.program for event in entry.events] == ["ls", "touch"]
    assert (entry.links, entry.tor, entry.replies, entry.tokens) == ({1: 0}, 1.0, None, None)


def test_the_tokens_are_those_that_training_sees(tokenizer):
    one = trajectory()
    (entry,) = entries(Selection([one], [], []), MaskConfig(hide=["observation"], unit="span"), tokenizer)
    example = render_trajectory(one, tokenizer)
    assert entry.tokens == len(example.input_ids)
    for turn, reply in zip(one.turns, entry.replies, strict=True):
        assert sum(reply.lengths) == len(turn.reply)
    weights = [set(reply.weights) for reply in entry.replies]
    assert weights == [{0.0, 1.0}, {1.0}]


def test_replies_taken_out_of_the_context_are_shown_as_masked(tokenizer):
    mask = MaskConfig(hide=["observation"], unit="context")
    (entry,) = entries(Selection([trajectory()], [], []), mask, tokenizer)
    assert [set(reply.weights) for reply in entry.replies] == [{0.0}, {1.0}]


def test_the_dropped_follow_with_their_reasons(tokenizer):
    unreadable = trajectory("u", "<|im_end|>")
    selection = Selection([trajectory("k"), unreadable], [Dropped(trajectory("d"), "failed")], [])
    found = {entry.trajectory.id: entry.dropped for entry in entries(selection, MaskConfig(), tokenizer)}
    assert found == {"k": None, "u": "a reply holds the text of a special token", "d": "failed"}


def test_a_template_that_keeps_no_prefixes_is_shown_turn_by_turn():
    forgetful = (Path(__file__).parents[2] / "rendering" / "forgetful.jinja").read_text()
    tokenizer = load_tokenizer(str(BASE))
    tokenizer.chat_template = pinned(forgetful, OFF)
    given = [trajectory("a", LOOK, "\n\n" + ACT), trajectory("u", "<|im_end|>"), trajectory("b")]
    found = list(entries(Selection(given, [], []), MaskConfig(hide=["observation"]), tokenizer))
    assert [(entry.trajectory.id, bool(entry.dropped)) for entry in found] == [
        ("a", False),
        ("u", True),
        ("b", False),
    ]
    looked, acted = found[0].replies
    assert set(looked.weights) == {0.0}
    assert next(iter(acted.weights)) == 0.0  # line breaks that the prompt ends with
    assert set(found[2].replies[1].weights) == {1.0}
    assert found[0].tokens == max(len(example.input_ids) for example in render_turns(given[0], tokenizer))
