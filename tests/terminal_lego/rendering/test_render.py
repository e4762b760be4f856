from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from terminal_lego.errors import RenderError, UntrainableError
from terminal_lego.formats import read_trajectories
from terminal_lego.rendering import render as rendering
from terminal_lego.rendering.masks import MaskConfig, MaskedTrajectory, TurnMask
from terminal_lego.rendering.render import IGNORED, Example, render, render_all, render_trajectory
from terminal_lego.rendering.template import cut
from terminal_lego.reply import parse_reply
from terminal_lego.trajectory import Trajectory, Turn
from tests.terminal_lego.rendering.samples import ROOT, TOKENIZERS, chat, chats, small_tokenizer
from tests.train.scripted import conversations

RECORDED = ROOT.parent / "shared" / "data" / "trajectories"
SHIPPED = ROOT / "recipes" / "quickstart" / "trajectories"
ROLE_HEADER = {"quickstart": "<|im_start|>", "small": "<said>"}
AFTER_LAST_TURN = {"quickstart": "\n", "small": ""}


def trained_texts(example: Example, tokenizer) -> list[str]:
    return [
        tokenizer.decode(example.input_ids[span.start : span.end])
        for span in example.spans
        if example.weights[span.start]
    ]


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(messages=chats())
@settings(deadline=None, max_examples=60)
def test_every_chat_becomes_exactly_its_rendering_with_loss_on_the_replies(kind, messages):
    tokenizer = TOKENIZERS[kind]
    example = render(messages, tokenizer)
    replies = [message["content"] for message in messages if message["role"] == "assistant"]
    labels = list(example.labels)

    whole = tokenizer.apply_chat_template(messages, tokenize=False)
    assert tokenizer.decode(example.input_ids) + AFTER_LAST_TURN[kind] == whole
    assert example.input_ids.count(tokenizer.convert_tokens_to_ids(ROLE_HEADER[kind])) == len(messages)
    assert trained_texts(example, tokenizer) == [reply + tokenizer.eos_token for reply in replies]
    assert 0 < example.trained_tokens < len(example.input_ids) == len(labels) == len(example.weights)

    ends = [0, *(span.end for span in example.spans)]
    assert [span.start for span in example.spans] == ends[:-1]
    assert ends[-1] == len(example.input_ids)
    assert [(span.role, span.turn) for span in example.spans] == [
        (role, turn) for turn in range(len(replies)) for role in ("user", "assistant")
    ]
    for span in example.spans:
        ids, wanted = list(example.input_ids[span.start : span.end]), labels[span.start : span.end]
        assert wanted == (ids if span.role == "assistant" else [IGNORED] * len(ids))
        if span.role == "assistant":
            assert ids[-1] == tokenizer.eos_token_id
            assert tokenizer.eos_token_id not in ids[:-1]


@given(weights=st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=5).filter(any))
def test_a_turn_weighs_what_it_is_given(weights):
    example = render(
        chat(*"abcde"[: len(weights)]), TOKENIZERS["small"], turns=[TurnMask(each) for each in weights]
    )
    for span in example.spans:
        expected = weights[span.turn] if span.role == "assistant" else 0.0
        assert set(example.weights[span.start : span.end]) == {expected}
    assert example.trained_tokens == sum(weight > 0 for weight in example.weights)


def test_weights_must_be_one_per_turn():
    with pytest.raises(RenderError, match="1 turn masks for 2 assistant turns"):
        render(chat("a", "b"), TOKENIZERS["small"], id="x", turns=[TurnMask()])


@pytest.mark.parametrize("special", ["<|im_end|>", "<|im_start|>", "<|endoftext|>"])
def test_a_reply_that_spells_a_special_token_is_refused_by_turn(special):
    tokenizer = TOKENIZERS["quickstart"]
    with pytest.raises(UntrainableError, match="x: turn 1 holds the text") as caught:
        render(chat("fine", f"cat {special} here"), tokenizer, id="x")
    assert special in str(caught.value)
    assert "special token" in caught.value.reason
    read_only = render(chat(f"cat {special}", "fine"), tokenizer, turns=[TurnMask(0.0), TurnMask()])
    assert trained_texts(read_only, tokenizer) == ["fine<|im_end|>"]


def test_a_screen_that_spells_a_special_token_is_read_as_the_server_reads_it():
    tokenizer = TOKENIZERS["quickstart"]
    messages = chat("fine")
    messages[0]["content"] = "a <|im_end|> on the screen"
    served = tokenizer.apply_chat_template(messages[:1], add_generation_prompt=True, return_dict=True)
    example = render(messages, tokenizer)
    assert example.input_ids[: example.spans[0].end] == array("i", served["input_ids"])
    assert trained_texts(example, tokenizer) == ["fine<|im_end|>"]


def test_a_tokenizer_that_does_not_give_replies_back_is_refused():
    core = Tokenizer(models.Unigram([("<end>", 0.0), *((piece, -1.0) for piece in ["\u2581", *"abc:"])], 0))
    core.pre_tokenizer, core.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace(prepend_scheme="never")
    template = "{% for m in messages %}{{ m.content }}{{ eos_token if m.role != 'user' }}{% endfor %}"
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>", chat_template=template)
    with pytest.raises(UntrainableError, match="turn 0 comes back from the tokenizer as other text"):
        render(chat("abc"), tokenizer)


def test_a_conversation_must_end_with_a_reply():
    for messages in ([], chat("a")[:1]):
        with pytest.raises(RenderError, match="must end with an assistant message"):
            render(messages, TOKENIZERS["small"])


def test_copied_turns_are_read_and_a_trajectory_of_nothing_else_is_refused():
    tokenizer = TOKENIZERS["quickstart"]
    copied, own = Turn("old", "seen", is_copied=True), Turn("new", "unseen")
    example = render_trajectory(Trajectory("id", "task", "m", "prompt", (copied, own)), tokenizer)
    assert trained_texts(example, tokenizer) == ["new<|im_end|>"]
    assert "old" in tokenizer.decode(example.input_ids)
    assert "unseen" not in tokenizer.decode(example.input_ids)
    with pytest.raises(UntrainableError, match="no token would be trained"):
        render_trajectory(Trajectory("id", "task", "m", "prompt", (copied,)), tokenizer)


def test_before_every_turn_stands_what_a_server_would_put_there():
    tokenizer = TOKENIZERS["quickstart"]
    for trajectory in conversations(14) + conversations(14, "guesser"):
        example, messages = render_trajectory(trajectory, tokenizer), trajectory.messages()
        for span in (span for span in example.spans if span.role == "assistant"):
            served = tokenizer.apply_chat_template(
                messages[: 2 * span.turn + 1], add_generation_prompt=True, return_dict=True
            )
            assert example.input_ids[: span.start] == array("i", served["input_ids"])


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(path, marks=pytest.mark.skipif(not path.exists(), reason=f"{path} is absent"), id=name)
        for name, path in (("recorded", RECORDED), ("shipped", SHIPPED))
    ],
)
def test_every_reply_on_disk_is_trained_byte_for_byte(source):
    tokenizer = TOKENIZERS["quickstart"]
    trajectories = [each for each in read_trajectories(source).trajectories if each.turns]
    assert trajectories
    for trajectory in trajectories[:: len(trajectories) // 500 + 1]:
        example = render_trajectory(trajectory, tokenizer)
        assert trained_texts(example, tokenizer) == [turn.reply + "<|im_end|>" for turn in trajectory.turns]
    if source == SHIPPED:
        assert not [turn for each in trajectories for turn in each.turns if parse_reply(turn.reply).error]


@given(messages=chats())
@settings(deadline=None, max_examples=30)
def test_pieces_are_tokenised_as_the_tokenizer_would_by_itself(messages):
    for tokenizer in TOKENIZERS.values():
        example = render(messages, tokenizer)
        texts = [text for text, _, _ in cut(messages, tokenizer)]
        alone = tokenizer(texts, add_special_tokens=False)["input_ids"]
        spans = [list(example.input_ids[span.start : span.end]) for span in example.spans]
        assert spans == alone


def test_traces_of_an_earlier_call_do_not_shorten_a_conversation():
    tokenizer = small_tokenizer()
    expected = render(chat("one two three"), tokenizer)
    tokenizer.backend_tokenizer.enable_truncation(2)
    tokenizer.backend_tokenizer.enable_padding(length=50)
    assert render(chat("one two three"), tokenizer) == expected


def test_an_example_is_compact_and_its_labels_follow_its_weights():
    example = Example("x", array("i", [7, 8, 9]), array("f", [0, 0.5, 1]), ())
    assert example.labels == array("i", [IGNORED, 8, 9])
    assert example.trained_tokens == 2
    rendered = render(chat("a"), TOKENIZERS["small"])
    assert (rendered.input_ids.typecode, rendered.weights.typecode) == ("i", "f")


def masked_by(masks: dict[str, list[TurnMask]]):
    """Stands in for the mask: hides the turns said of each id, if anything is to be hidden."""

    def mask(trajectory: Trajectory, config: MaskConfig) -> MaskedTrajectory:
        plain = [TurnMask()] * len(trajectory.turns)
        return MaskedTrajectory(trajectory, tuple(masks[trajectory.id] if config.hide else plain))

    return mask


def made_up(id: str, *replies: str) -> Trajectory:
    return Trajectory(id, "task", "m", "prompt", tuple(Turn(reply, "screen") for reply in replies))


def test_a_stream_of_trajectories_comes_back_with_examples_and_refusals(monkeypatch):
    tokenizer = TOKENIZERS["quickstart"]
    given = [made_up("a", "one", "two"), made_up("b", "a <|im_end|>"), made_up("c", "three")]
    masks = {"a": [TurnMask(0.0), TurnMask()], "b": [TurnMask()], "c": [TurnMask(0.0)]}
    monkeypatch.setattr(rendering, "mask", masked_by(masks))
    rendered = render_all(iter(given), tokenizer, MaskConfig(hide=["observation"]))
    assert next(rendered)[0] is given[0]
    (_, second), (_, third) = rendered
    assert second.reason == "a reply holds the text of a special token"
    assert third.reason == "nothing to train"
    plain = list(render_all(given, tokenizer, MaskConfig()))
    assert [trained_texts(example, tokenizer) for _, example in plain[::2]] == [
        ["one<|im_end|>", "two<|im_end|>"],
        ["three<|im_end|>"],
    ]


def test_a_stream_is_read_no_further_ahead_than_a_few_conversations():
    tokenizer = TOKENIZERS["quickstart"]
    asked = []
    given = (asked.append(number) or made_up(str(number), f"reply {number}") for number in range(400))
    found = []
    for trajectory, example in render_all(given, tokenizer, MaskConfig()):
        found.append(trajectory.id)
        assert len(asked) - len(found) < 100
        assert trained_texts(example, tokenizer) == [f"reply {trajectory.id}<|im_end|>"]
    assert found == [str(number) for number in range(400)]


def test_what_a_caller_does_to_the_tokenizer_meanwhile_changes_nothing():
    tokenizer = small_tokenizer()
    given = [made_up(str(number), "one two three") for number in range(100)]
    expected = render_trajectory(given[0], tokenizer).input_ids
    for _, example in render_all(given, tokenizer, MaskConfig()):
        tokenizer.backend_tokenizer.enable_truncation(2)
        assert example.input_ids == expected


def test_a_broken_conversation_ends_the_stream_with_its_error():
    given = [made_up("a", "one"), Trajectory("empty", "task", "m", "prompt", ())]
    with pytest.raises(RenderError, match="empty"):
        list(render_all(given, TOKENIZERS["small"], MaskConfig()))


def test_the_control_trains_other_turns_but_as_many_tokens(monkeypatch):
    tokenizer = TOKENIZERS["small"]
    given = [made_up(str(number), *["same"] * 6) for number in range(20)]
    masks = {each.id: [TurnMask(0.0)] * 2 + [TurnMask()] * 4 for each in given}
    monkeypatch.setattr(rendering, "mask", masked_by(masks))
    reference, control = (
        [example for _, example in render_all(given, tokenizer, MaskConfig(["observation"], random=random))]
        for random in (False, True)
    )
    assert [each.trained_tokens for each in control] == [each.trained_tokens for each in reference]
    assert [each.input_ids for each in control] == [each.input_ids for each in reference]
    assert [each.weights for each in control] != [each.weights for each in reference]
