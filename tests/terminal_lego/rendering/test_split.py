"""Conversations that no one sequence can hold: one example per trained turn."""

import pytest

from terminal_lego.errors import RenderError, UntrainableError
from terminal_lego.rendering import render as rendering
from terminal_lego.rendering.example import DONE
from terminal_lego.rendering.masks import MaskConfig, MaskedTrajectory, TurnMask
from terminal_lego.rendering.render import (
    count_tokens,
    is_split,
    render,
    render_all,
    render_trajectory,
    render_turns,
)
from terminal_lego.rendering.template import keeps_prefixes
from terminal_lego.rendering.thinking import LAST_TURN, OFF, THINKING
from terminal_lego.trajectory import Trajectory, Turn
from tests.terminal_lego.rendering.samples import TOKENIZERS
from tests.terminal_lego.rendering.students import TEMPLATES, student, tokenizer_with
from tests.terminal_lego.rendering.test_template import FRAMING, REFUSED
from tests.train.scripted import conversations

REWRITING = {
    "forgets earlier thoughts",
    "keeps thoughts after the last user message only",
    "gives the last turn an empty thought",
    "opens the thought for the model",
}


def made(*replies: str, id: str = "t", copied: int = 0) -> Trajectory:
    turns = (Turn(reply, "screen", is_copied=turn < copied) for turn, reply in enumerate(replies))
    return Trajectory(id, "task", "m", "prompt", tuple(turns))


def results(trajectories, tokenizer, mask=None, thinking=OFF):
    return list(render_all(trajectories, tokenizer, mask or MaskConfig(), thinking))


@pytest.mark.parametrize("template", [*FRAMING.values(), *(text for text, _ in REFUSED.values())])
def test_a_template_that_rewrites_is_told_from_one_that_does_something_else(template):
    rewriting = {REFUSED[name][0] for name in REWRITING}
    assert keeps_prefixes(tokenizer_with(template)) == (template not in rewriting)


def test_each_trained_turn_is_an_example_of_its_own():
    tokenizer = student("stock", OFF)
    given = conversations(3)
    found = results(given, tokenizer)
    assert [(trajectory.id, example.id) for trajectory, example in found] == [
        (each.id, f"{each.id}@{turn}") for each in given for turn in range(len(each.turns))
    ]
    for trajectory, example in found:
        read, reply = example.spans
        assert (read.role, read.start, read.end) == ("user", 0, reply.start)
        assert reply.end == len(example.input_ids)
        assert read.turn == reply.turn == int(example.id.rpartition("@")[2])
        assert example.trained_tokens == reply.end - reply.start
        written = tokenizer.decode(example.input_ids[reply.start :])
        assert written == trajectory.turns[reply.turn].reply + "<|im_end|>"


def test_masked_and_copied_turns_are_read_only():
    tokenizer = student("stock", OFF)
    one = made("{old}", "{a}", "{b <|im_end|>}", "{c}", copied=1)
    masks = [TurnMask(), TurnMask(0.5), TurnMask(0.0), TurnMask()]
    examples = render_turns(one, tokenizer, masks)
    assert [example.id for example in examples] == ["t@1", "t@3"]
    assert {*examples[0].weights} == {0.0, 0.5}
    text = tokenizer.decode(examples[1].input_ids)
    assert all(reply in text for reply in ("{old}", "{a}", "{b <|im_end|>}"))


def test_what_cannot_be_trained_is_refused_once_for_the_whole_conversation():
    tokenizer = student("stock", OFF)
    given = [made("{a}", "{<|im_end|>"), made("{a}", copied=1), made("{a}", "{b} </think> c"), made("{a}")]
    *refused, (_, example) = results(given, tokenizer)
    assert [error.reason for _, error in refused] == [
        "a reply holds the text of a special token",
        "nothing to train",
        "the chat template alters a reply",
    ]
    assert "t: turn 1 holds the text" in str(refused[0][1])
    assert example.id == "t@0"
    with pytest.raises(RenderError, match="t: 1 turn masks for 2 assistant turns"):
        render_turns(given[0], tokenizer, [TurnMask()])


@pytest.mark.parametrize("name", ["gives the last turn an empty thought", "opens the thought for the model"])
def test_a_template_that_no_turn_can_be_cut_from_is_refused_as_a_template(name):
    tokenizer = tokenizer_with(REFUSED[name][0])
    with pytest.raises(RenderError, match="t: the chat template ") as caught:
        results([made("{a}", "{b}")], tokenizer)
    assert not isinstance(caught.value, UntrainableError)


def test_a_template_that_loses_the_beginning_of_a_reply_is_refused():
    losing = TEMPLATES["ours"].replace("message.content }}", "message.content[loop.index0 % 2:] }}")
    with pytest.raises(RenderError, match="does not render turn 0 as its text"):
        results([made("{a}", "{b}")], tokenizer_with(losing))


def test_one_sequence_is_still_refused_and_the_choice_is_the_policys():
    tokenizer = student("stock", OFF)
    messages = made("{a}", "{b}").messages()
    with pytest.raises(RenderError, match="keeps no prefixes"):
        render(messages, tokenizer, id="t")
    assert is_split(tokenizer)
    assert [is_split(student("ours", each), each) for each in THINKING] == [False, False, True]


def test_a_prompt_that_opens_the_thought_and_forgets_nothing_is_one_sequence():
    opening = TEMPLATES["ours"].replace("assistant\n", "assistant\n<think>\n")
    tokenizer = tokenizer_with(opening)
    assert is_split(tokenizer, OFF)
    assert not is_split(tokenizer, "keep")
    one = made("{a}", "{b}")
    example = render_trajectory(one, tokenizer, thinking="keep")
    trained = [
        tokenizer.decode(example.input_ids[span.start : span.end])
        for span in example.spans
        if span.role == "assistant"
    ]
    assert trained == ["\n</think>\n\n{a}<|im_end|>", "\n</think>\n\n{b}<|im_end|>"]


def test_tokens_are_counted_of_the_longest_example():
    (one,) = conversations(1)
    for name in TEMPLATES:
        tokenizer = student(name, LAST_TURN)
        longest = max(len(example.input_ids) for _, example in results([one], tokenizer, thinking=LAST_TURN))
        assert count_tokens(one, tokenizer, LAST_TURN) == longest
    plain = TOKENIZERS["quickstart"]
    assert count_tokens(one, plain) == len(render_trajectory(one, plain).input_ids)
    with pytest.raises(UntrainableError):
        count_tokens(made("{<|im_end|>"), plain)


def test_replies_that_declare_the_task_complete_are_labelled():
    (one,) = conversations(1)
    done = [turn.parsed.task_complete for turn in one.turns]
    assert any(done) and not all(done)
    whole = render_trajectory(one, TOKENIZERS["quickstart"])
    split = render_turns(one, student("stock", OFF))
    for spans in (whole.spans, [span for example in split for span in example.spans]):
        labels = [span.label == DONE for span in spans if span.role == "assistant"]
        assert labels == done
        assert not any(span.label for span in spans if span.role != "assistant")


def test_the_control_leaves_out_other_turns_with_as_many_tokens(monkeypatch):
    tokenizer = student("stock", OFF)
    given = [made(*["{same}"] * 6, id=str(number)) for number in range(20)]
    hidden = [TurnMask(0.0)] * 2 + [TurnMask()] * 4

    def mask(trajectory, config):
        return MaskedTrajectory(trajectory, tuple(hidden))

    monkeypatch.setattr(rendering, "mask", mask)
    reference, control = (
        [example for _, example in results(given, tokenizer, MaskConfig(["observation"], random=random))]
        for random in (False, True)
    )
    assert len(control) == len(reference) == 80
    assert sum(each.trained_tokens for each in control) == sum(each.trained_tokens for each in reference)
    assert [each.id for each in control] != [each.id for each in reference]
