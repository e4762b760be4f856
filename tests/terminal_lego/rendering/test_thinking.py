"""Thoughts: what is trained, and that at every turn it stands behind exactly what a server shows then."""

import pytest
from hypothesis import given, settings

from terminal_lego.errors import RenderError, UntrainableError
from terminal_lego.rendering.example import Example
from terminal_lego.rendering.masks import MaskConfig, Part, TurnMask
from terminal_lego.rendering.render import is_split, render, render_all, render_trajectory, render_turns
from terminal_lego.rendering.thinking import (
    KEEP,
    LAST_TURN,
    NO_THOUGHT,
    OFF,
    THINKING,
    pinned,
    silent,
    spoken,
)
from terminal_lego.rendering.tokenizer import load_tokenizer
from terminal_lego.trajectory import Trajectory, Turn
from tests.terminal_lego.rendering.samples import QUICKSTART
from tests.terminal_lego.rendering.students import (
    FORGETFUL,
    TEMPLATES,
    served,
    student,
    tokenizer_with,
    trajectories,
)

SPLIT = {("ours", LAST_TURN), *((name, policy) for name in ("stock", "opening") for policy in THINKING)}
EVERY = [(name, policy) for name in TEMPLATES for policy in THINKING]
THOUGHTFUL = Trajectory(
    "t",
    "task",
    "m",
    "prompt",
    (
        Turn("{one}", "screen 1", reasoning="\nwhy one\n"),
        Turn("{two}", "screen 2"),
        Turn("{three}", "screen 3", reasoning="why three"),
    ),
)


def examples_of(trajectory: Trajectory, tokenizer, thinking: str) -> list[Example]:
    return [example for _, example in render_all([trajectory], tokenizer, MaskConfig(), thinking)]


def shown(examples: list[Example]) -> list[tuple[list[int], list[int]]]:
    """Before each trained reply, and the reply."""
    return [
        (list(example.input_ids[: span.start]), list(example.input_ids[span.start : span.end]))
        for example in examples
        for span in example.spans
        if span.role == "assistant" and example.weights[span.start]
    ]


@pytest.mark.parametrize(("name", "thinking"), EVERY)
@given(trajectory=trajectories())
@settings(max_examples=40)
def test_at_every_turn_a_server_shows_what_was_trained(name, thinking, trajectory):
    """The student says what it was trained to say; harness and server make the next prompt of it."""
    tokenizer = student(name, thinking)
    examples = examples_of(trajectory, tokenizer, thinking)
    turns = shown(examples)
    assert len(turns) == len(trajectory.turns)
    assert len(examples) == (len(turns) if (name, thinking) in SPLIT else 1)

    messages = [{"role": "user", "content": trajectory.prompt}]
    for turn, (before, reply) in zip(trajectory.turns, turns, strict=True):
        assert served(tokenizer, messages) == before
        said = tokenizer.decode(reply).removesuffix("<|im_end|>")
        around = tokenizer.decode(before).rpartition("<|im_start|>assistant\n")[2] + said
        assert reply[-1] == tokenizer.eos_token_id
        assert around.count("<think>") == around.count("</think>") <= 1
        if thinking == LAST_TURN:  # a server with a reasoning parser gives the reply alone
            said = said.partition("</think>")[2].lstrip("\n")
        assert said.endswith(turn.reply)
        messages += [
            {"role": "assistant", "content": said},
            {"role": "user", "content": turn.observation},
        ]


@pytest.mark.parametrize("name", ["stock", "opening"])
@given(trajectory=trajectories())
@settings(max_examples=20)
def test_the_switch_is_set_as_a_request_would_set_it(name, trajectory):
    """A student with its template unchanged is asked for thoughts, or for none, with each request."""
    plain = tokenizer_with(TEMPLATES[name])
    messages = trajectory.messages()
    for thinking, switch in ((OFF, False), (LAST_TURN, True)):
        for turn, example in enumerate(examples_of(trajectory, student(name, thinking), thinking)):
            before = served(plain, messages[: 2 * turn + 1], enable_thinking=switch)
            assert list(example.input_ids[: example.spans[0].end]) == before


@pytest.mark.parametrize(("name", "thinking"), EVERY)
@given(trajectory=trajectories())
@settings(max_examples=20)
def test_only_what_is_declared_is_put_into_a_teachers_mouth(name, thinking, trajectory):
    """Empty thoughts: none without a policy for thoughts, else one for each turn that came without."""
    tokenizer = student(name, thinking)
    written = [tokenizer.decode(reply) for _, reply in shown(examples_of(trajectory, tokenizer, thinking))]
    head = "<think>\n" if name == "opening" and thinking != OFF else ""
    empty = sum((head + text).startswith(NO_THOUGHT) for text in written)
    missing = sum(not (turn.reasoning or "").strip("\n") for turn in trajectory.turns)
    assert empty == (0 if thinking == OFF else missing)
    for text, turn in zip(written, trajectory.turns, strict=True):
        thought = "" if thinking == OFF else f"<think>\n{(turn.reasoning or '').strip(chr(10))}\n</think>\n\n"
        assert head + text == f"{thought}{turn.reply}<|im_end|>"


def test_each_policy_on_one_conversation():
    ours = student("ours", KEEP)
    assert ours.decode(render_trajectory(THOUGHTFUL, ours, thinking=KEEP).input_ids) == (
        "<|im_start|>user\nprompt<|im_end|>\n"
        "<|im_start|>assistant\n<think>\nwhy one\n</think>\n\n{one}<|im_end|>\n"
        "<|im_start|>user\nscreen 1<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n{two}<|im_end|>\n"
        "<|im_start|>user\nscreen 2<|im_end|>\n"
        "<|im_start|>assistant\n<think>\nwhy three\n</think>\n\n{three}<|im_end|>"
    )
    last = render_turns(THOUGHTFUL, ours, thinking=LAST_TURN)
    assert [example.id for example in last] == ["t@0", "t@1", "t@2"]
    texts = [ours.decode(example.input_ids) for example in last]
    assert [text.count("why") for text in texts] == [1, 0, 1]
    assert "assistant\n{one}<|im_end|>" in texts[1]
    assert texts[2].endswith("<think>\nwhy three\n</think>\n\n{three}<|im_end|>")
    off = ours.decode(render_trajectory(THOUGHTFUL, ours).input_ids)
    assert "why" not in off and "<think>" not in off


def test_screens_that_are_tool_messages_leave_the_thoughts_where_they_were():
    """To the stock template a screen sent by the user is a new question, one sent by a tool is not."""
    tokenizer = student("stock", KEEP)
    replies = [spoken(turn) for turn in THOUGHTFUL.turns[::2]]
    for role, thoughts in (("tool", 2), ("user", 1)):
        messages = [
            {"role": "user", "content": "prompt"},
            {"role": "assistant", "content": replies[0]},
            {"role": role, "content": "screen"},
            {"role": "assistant", "content": replies[1]},
        ]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        assert text.count("why") == thoughts
        if role == "tool":
            ((first, _), (second, _)) = shown([render(messages, tokenizer)])
            assert (first, second) == (served(tokenizer, messages[:1]), served(tokenizer, messages[:3]))
        else:
            with pytest.raises(RenderError, match="rewrites earlier messages at turn 1"):
                render(messages, tokenizer)


@pytest.mark.parametrize("thinking", [KEEP, LAST_TURN])
def test_the_parts_of_a_reply_move_with_it(thinking):
    reply = 'say {"ls"} now'
    one = Trajectory("t", "task", "m", "prompt", (Turn(reply, reasoning="hm"),))
    mask = TurnMask(0.5, (Part(5, 9, "observation", 0.0),))
    for name in TEMPLATES:
        tokenizer = student(name, thinking)
        (example,) = render_turns(one, tokenizer, [mask], thinking)
        (part,) = example.parts
        assert tokenizer.decode(example.input_ids[part.start : part.end]) == '"ls"'
        assert set(example.weights[part.start : part.end]) == {0.0}
        start, end = example.spans[-1].start, example.spans[-1].end
        assert set(example.weights[start : part.start]) == set(example.weights[part.end : end]) == {0.5}
    whole = render_trajectory(one, student("ours", KEEP), [mask], KEEP)
    (part,) = whole.parts
    assert student("ours", KEEP).decode(whole.input_ids[part.start : part.end]) == '"ls"'


def test_a_thought_of_the_replys_own_stays_as_it_was_written():
    own = "<think>\nwhy\n</think>\n{done}"
    assert spoken(Turn(own, reasoning="other")) == own
    assert spoken(Turn("why</think>{done}")) == "<think>\nwhy</think>{done}"  # the prompt had opened it
    assert silent(own) == silent("why</think>{done}") == "{done}"
    for reply in ('{"keystrokes": "grep </think> a"}', '{"a": "<think>x</think>"}', "no tag", "a </think> b"):
        assert spoken(Turn(reply)) == NO_THOUGHT + reply
        assert silent(reply) == reply
    one = Trajectory("t", "task", "m", "prompt", (Turn(own), Turn("{two}")))
    tokenizer = student("ours", OFF)
    assert [tokenizer.decode(reply) for _, reply in shown([render_trajectory(one, tokenizer)])] == [
        own + "<|im_end|>",
        "{two}<|im_end|>",
    ]


def test_later_turns_read_no_thought_in_whatever_way_it_was_kept():
    replies = ("<think>why</think>\n\n{one}", "why</think>{two}", "\n\n{three}", "{four}")
    one = Trajectory("t", "task", "m", "prompt", tuple(Turn(reply, "screen") for reply in replies))
    tokenizer = student("ours", LAST_TURN)
    *_, last = render_turns(one, tokenizer, thinking=LAST_TURN)
    before = tokenizer.decode(last.input_ids[: last.spans[0].end])
    assert [text.partition("<|im_end|>")[0] for text in before.split("assistant\n")[1:]] == [
        "{one}",
        "{two}",
        "{three}",
        "",
    ]


@pytest.mark.parametrize(("breaks", "text"), [("", "\n\n{a}"), ("\n", "\n\n{a}"), ("\n\n\n", "\n\n\n{a}")])
def test_line_breaks_that_a_server_left_to_the_reply_are_not_doubled(breaks, text):
    assert spoken(Turn(breaks + "{a}", reasoning="why")) == f"<think>\nwhy\n</think>{text}"


def test_line_breaks_that_the_prompt_ends_with_are_read_not_written():
    tokenizer = student("stock", OFF)
    one = Trajectory("t", "task", "m", "prompt", (Turn("\n\n{a}"), Turn("\n\n{b}")))
    replies = [tokenizer.decode(reply) for _, reply in shown(examples_of(one, tokenizer, OFF))]
    assert replies == ["{a}<|im_end|>", "{b}<|im_end|>"]


@pytest.mark.parametrize("thought", ["a </think> b", "a <think> b"])
def test_a_thought_that_holds_a_tag_is_refused(thought):
    one = Trajectory("x", "task", "m", "prompt", (Turn("{a}"), Turn("{b}", reasoning=thought)))
    tokenizer = student("ours", KEEP)
    ((_, error),) = render_all([one], tokenizer, MaskConfig(), KEEP)
    assert isinstance(error, UntrainableError)
    assert error.reason == "a thought holds a thinking tag"
    assert examples_of(one, tokenizer, OFF)[0].trained_tokens


def test_a_template_is_set_for_good_and_only_once(tmp_path):
    (tmp_path / "chat.jinja").write_text(FORGETFUL)
    off = load_tokenizer(str(QUICKSTART), str(tmp_path / "chat.jinja"), OFF)
    assert off.chat_template == "{%- set enable_thinking = false -%}\n" + FORGETFUL
    assert served(off, THOUGHTFUL.messages()[:1], enable_thinking=True) == served(
        off, THOUGHTFUL.messages()[:1]
    )
    off.save_pretrained(tmp_path / "student")
    assert load_tokenizer(str(tmp_path / "student")).chat_template == off.chat_template
    assert pinned(off.chat_template, KEEP) == pinned(FORGETFUL, LAST_TURN)
    assert pinned(TEMPLATES["ours"], OFF) == TEMPLATES["ours"]


def test_the_last_turn_alone_has_no_one_sequence():
    with pytest.raises(RenderError, match="thinking=last_turn has no one sequence"):
        render_trajectory(THOUGHTFUL, student("ours", LAST_TURN), thinking=LAST_TURN)


def test_which_students_are_split():
    assert {pair for pair in EVERY if is_split(student(*pair), pair[1])} == SPLIT
