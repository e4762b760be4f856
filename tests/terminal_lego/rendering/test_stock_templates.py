"""The templates that models are published with, not made up for tests: TRL ships them to know models by.

What a student is trained on must be what a server shows it, turn by turn, whichever of them is in use.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import trl
from hypothesis import given, settings
from transformers import PreTrainedTokenizerFast

from terminal_lego.errors import RenderError
from terminal_lego.rendering.masks import MaskConfig
from terminal_lego.rendering.render import is_split, render_all
from terminal_lego.rendering.thinking import KEEP, LAST_TURN, OFF, THINKING, pinned
from terminal_lego.trajectory import Trajectory
from tests.terminal_lego.rendering.students import FORGETFUL, served, tokenizer_with, trajectories
from tests.terminal_lego.rendering.test_thinking import THOUGHTFUL, shown

FOLDER = Path(trl.__file__).parent / "chat_templates"
ONE_SEQUENCE = {
    "qwen2_5": (OFF, KEEP),
    "qwen3_instruct_2507": (OFF, KEEP),
    "qwen3_8": (OFF,),
    "qwen3": (),
    "qwen3_5_think": (),
    "qwen3_5_nothink": (),
    "qwen3_6": (),
}
"""Policies with which a conversation is one sequence; with the others it is one example per reply."""
TAKES_THOUGHTS_BY_FIELD = "qwen3_8"
PAIRS = [
    (name, thinking)
    for name in ONE_SEQUENCE
    for thinking in THINKING
    if name != TAKES_THOUGHTS_BY_FIELD or thinking == OFF
]


def stock(name: str) -> str:
    return (FOLDER / f"{name}.jinja").read_text()


def trimmed(trajectory: Trajectory) -> Trajectory:
    """Some templates trim replies and thoughts; what that alters is refused, not trained."""
    turns = (
        replace(turn, reply=turn.reply.strip(), reasoning=turn.reasoning and turn.reasoning.strip())
        for turn in trajectory.turns
    )
    return replace(trajectory, turns=tuple(turns))


@cache
def student(name: str, thinking: str) -> PreTrainedTokenizerFast:
    return tokenizer_with(pinned(stock(name), thinking))


@pytest.mark.parametrize(("name", "thinking"), PAIRS)
@given(trajectory=trajectories().map(trimmed))
@settings(max_examples=15)
def test_at_every_turn_a_server_shows_what_was_trained(name, thinking, trajectory):
    """Guards against thoughts that training reads and the server drops, or the other way round, against
    empty thoughts that only one of them writes, and against an opening tag twice or not at all."""
    tokenizer = student(name, thinking)
    examples = [example for _, example in render_all([trajectory], tokenizer, MaskConfig(), thinking)]
    assert len(examples) == (1 if thinking in ONE_SEQUENCE[name] else len(trajectory.turns))
    messages = [{"role": "user", "content": trajectory.prompt}]
    for turn, (before, reply) in zip(trajectory.turns, shown(examples), strict=True):
        assert served(tokenizer, messages) == before
        assert reply[-1] == tokenizer.eos_token_id
        said = tokenizer.decode(reply).removesuffix("<|im_end|>")
        around = tokenizer.decode(before).rpartition("<|im_start|>assistant\n")[2] + said
        assert around.count("<think>") == around.count("</think>") <= 1
        if thinking == LAST_TURN:
            said = said.partition("</think>")[2].lstrip("\n")
        messages += [
            {"role": "assistant", "content": said},
            {"role": "user", "content": turn.observation},
        ]


@pytest.mark.parametrize("name", ONE_SEQUENCE)
def test_whether_earlier_turns_stay_is_found_out(name):
    """Guards against one sequence for a template that rewrites the turns before: no server shows that."""
    for thinking in (thinking for each, thinking in PAIRS if each == name):
        assert is_split(student(name, thinking), thinking) == (thinking not in ONE_SEQUENCE[name])


@given(trajectory=trajectories())
@settings(max_examples=40)
def test_what_stands_in_for_qwen3_in_other_tests_does_what_it_does(trajectory):
    """Guards against tests that prove parity with a template which nobody serves."""
    ours, real = tokenizer_with(FORGETFUL), tokenizer_with(stock("qwen3"))
    messages = trajectory.messages()
    for message, turn in zip(messages[1::2], trajectory.turns, strict=True):
        if turn.reasoning is not None:
            message["content"] = f"<think>\n{turn.reasoning}\n</think>\n\n{turn.reply}"
    for end in range(1, len(messages) + 1):
        for switches in ({}, {"enable_thinking": False}, {"enable_thinking": True}):
            assert served(ours, messages[:end], **switches) == served(real, messages[:end], **switches)
        texts = [each.apply_chat_template(messages[:end], tokenize=False) for each in (ours, real)]
        assert texts[0] == texts[1]


def test_a_default_system_prompt_stands_there_once():
    """Guards against turns rendered one by one, each of which would begin with it."""
    tokenizer = student("qwen2_5", OFF)
    ((_, example),) = render_all([THOUGHTFUL], tokenizer, MaskConfig(), OFF)
    assert tokenizer.decode(example.input_ids).count("<|im_start|>system\nYou are Qwen") == 1


@pytest.mark.parametrize("end", ["<|im_end|>", "<|user|>"])
def test_a_turn_that_ends_with_the_next_role_is_refused(end):
    """Guards against replies of GLM that are trained without an end: it is the opening of what comes next,
    which the last reply of a conversation has not got, and the others have it from their reader."""
    tokenizer = tokenizer_with(stock("glm4moe"))
    tokenizer.add_special_tokens({"eos_token": end})
    for thinking in THINKING:
        with pytest.raises(RenderError, match="does not render turn 0 as its text followed by"):
            list(render_all([THOUGHTFUL], tokenizer, MaskConfig(), thinking))


@pytest.mark.parametrize("thinking", [KEEP, LAST_TURN])
def test_a_template_that_takes_thoughts_by_a_field_alone_is_refused_with_them(thinking):
    """Guards against thoughts inside replies that such a template frames with an empty thought of its own."""
    with pytest.raises(RenderError, match="does not render turn 0 as its text followed by"):
        list(render_all([THOUGHTFUL], student(TAKES_THOUGHTS_BY_FIELD, thinking), MaskConfig(), thinking))
