from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from terminal_lego.errors import RenderError, UntrainableError
from terminal_lego.formats import read_trajectories
from terminal_lego.rendering.render import IGNORED, Example, render, render_trajectory
from terminal_lego.reply import parse_reply
from terminal_lego.trajectory import Trajectory, Turn
from tests.train.scripted import conversations

ROOT = Path(__file__).parents[2]
RECORDED = ROOT.parent / "shared" / "data" / "trajectories"
SHIPPED = ROOT / "recipes" / "quickstart" / "trajectories"
FORGETFUL = """{%- for m in messages -%}
<|im_start|>{{ m.role }}
{{ m.content if loop.last or m.role == 'user' else m.content.split('</think>')[-1] }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}"""


def small_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE that merges spaces and line breaks with what follows, another template, no padding."""
    core = Tokenizer(models.BPE())
    splitting = pre_tokenizers.Split(Regex(r" ?\w+|\s+|[^\s\w]+"), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.pre_tokenizer = pre_tokenizers.Sequence([splitting, byte_level])
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<end>", "<said>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(["user assistant\n\n\n  the terminal\n\n said so"] * 9, trainer)
    core.add_tokens([AddedToken("the terminal", normalized=False)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<end>",
        chat_template="{% for m in messages %}<said>{{ m.role }} {{ m.content }}<end>{% endfor %}"
        "{% if add_generation_prompt %}<said>assistant {% endif %}",
    )


TOKENIZERS = {
    "quickstart": AutoTokenizer.from_pretrained(ROOT / "recipes" / "quickstart" / "base"),
    "small": small_tokenizer(),
}
ROLE_HEADER = {"quickstart": "<|im_start|>", "small": "<said>"}
AFTER_LAST_TURN = {"quickstart": "\n", "small": ""}

texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.sampled_from('\n\r\t {}"\\</|>imend_é🦜\u0301')),
    st.sampled_from(["", "\n", "\n\n{}", " \n", "<|im_end", "the terminal", "Current Terminal Screen:\n"]),
)


@st.composite
def chats(draw) -> list[dict[str, str]]:
    system = [{"role": "system", "content": draw(texts)}] if draw(st.booleans()) else []
    turns = draw(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
    return system + [
        {"role": role, "content": text}
        for turn in turns
        for role, text in zip(("user", "assistant"), turn, strict=True)
    ]


def chat(*replies: str) -> list[dict[str, str]]:
    said = [({"role": "user", "content": "go on"}, {"role": "assistant", "content": r}) for r in replies]
    return [message for pair in said for message in pair]


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
    labels = example.labels

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
        ids, wanted = example.input_ids[span.start : span.end], labels[span.start : span.end]
        assert wanted == (ids if span.role == "assistant" else [IGNORED] * len(ids))
        if span.role == "assistant":
            assert ids[-1] == tokenizer.eos_token_id
            assert tokenizer.eos_token_id not in ids[:-1]


@given(weights=st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=5).filter(any))
def test_a_turn_weighs_what_it_is_given(weights):
    example = render(chat(*"abcde"[: len(weights)]), TOKENIZERS["small"], turn_weights=weights)
    for span in example.spans:
        expected = weights[span.turn] if span.role == "assistant" else 0.0
        assert set(example.weights[span.start : span.end]) == {expected}
    assert example.trained_tokens == sum(weight > 0 for weight in example.weights)


def test_weights_must_be_one_per_turn():
    with pytest.raises(RenderError, match="1 turn weights for 2 assistant turns"):
        render(chat("a", "b"), TOKENIZERS["small"], id="x", turn_weights=[1.0])


@pytest.mark.parametrize("special", ["<|im_end|>", "<|im_start|>", "<|endoftext|>"])
def test_a_reply_that_spells_a_special_token_is_refused_by_turn(special):
    tokenizer = TOKENIZERS["quickstart"]
    with pytest.raises(UntrainableError, match="x: turn 1 holds the text") as caught:
        render(chat("fine", f"cat {special} here"), tokenizer, id="x")
    assert special in str(caught.value)
    assert "special token" in caught.value.reason
    read_only = render(chat(f"cat {special}", "fine"), tokenizer, turn_weights=[0, 1])
    assert trained_texts(read_only, tokenizer) == ["fine<|im_end|>"]


def test_a_screen_that_spells_a_special_token_is_read_as_the_server_reads_it():
    tokenizer = TOKENIZERS["quickstart"]
    messages = chat("fine")
    messages[0]["content"] = "a <|im_end|> on the screen"
    served = tokenizer.apply_chat_template(messages[:1], add_generation_prompt=True, return_dict=True)
    example = render(messages, tokenizer)
    assert example.input_ids[: example.spans[0].end] == served["input_ids"]
    assert trained_texts(example, tokenizer) == ["fine<|im_end|>"]


def test_a_template_that_rewrites_history_is_refused():
    tokenizer = TOKENIZERS["quickstart"]
    forgetful = AutoTokenizer.from_pretrained(tokenizer.name_or_path, chat_template=FORGETFUL)
    assert render(chat("<think>a</think>b"), forgetful)
    with pytest.raises(RenderError, match=r"x: .* rewrites earlier messages at turn 1 .* use a template"):
        render(chat("<think>a</think>b", "c"), forgetful, id="x")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"eos_token": "<|endoftext|>"}, "does not render turn 0 as its text followed by '<|endoftext|>'"),
        ({"chat_template": FORGETFUL.replace("m.content if", "m.content | trim if")}, "exactly as it was"),
    ],
)
def test_a_template_that_ends_or_alters_a_turn_otherwise_is_refused(settings, sentence):
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZERS["quickstart"].name_or_path, **settings)
    with pytest.raises(RenderError) as caught:
        render(chat(" a "), tokenizer)
    assert sentence in str(caught.value)
    assert not isinstance(caught.value, UntrainableError)


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
            assert example.input_ids[: span.start] == served["input_ids"]


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
