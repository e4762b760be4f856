"""Chat templates: those that only frame messages are known and cut fast, all others as ever, or refused."""

import jinja2
import pytest
from hypothesis import given, settings
from transformers import AutoTokenizer

from terminal_lego.errors import RenderError, UntrainableError
from terminal_lego.rendering.render import render
from terminal_lego.rendering.template import cut, cut_by_turn, frames_of
from tests.terminal_lego.rendering.samples import QUICKSTART, TOKENIZERS, chat, chats

CONTENT = "{{ m.content }}"
CHATML = """{%- for m in messages -%}
<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}"""
LAST_USER = """{%- set at = namespace(user=0) -%}
{%- for m in messages if m.role == 'user' -%}{%- set at.user = at.user + 1 -%}{%- endfor -%}
{%- set seen = namespace(user=0) -%}"""
COUNT = "{%- if m.role == 'user' -%}{%- set seen.user = seen.user + 1 -%}{%- endif -%}"
FORGETTING = "{{ m.content if loop.last or m.role == 'user' else m.content.split('</think>')[-1] }}"
PARTLY = "{{ m.content if m.role == 'user' or seen.user == at.user else m.content.split('</think>')[-1] }}"
EMPTY_AT_LAST = (
    "{{ '<think>\\n</think>\\n' if loop.last and m.role == 'assistant' and '<think>' not in m.content }}"
    + CONTENT
)
EMPTY = """{{ '<think></think>' if m.role == 'assistant' and '<think>' not in m.content }}{{ m.content }}"""

FRAMING = {
    "chatml": CHATML,
    "nothing after a turn": """{%- for m in messages -%}
{{ m.role }}: {{ m.content }}{{ eos_token }}{%- endfor -%}
{%- if add_generation_prompt -%}assistant: {% endif -%}""",
    "a default system message": """{%- if messages[0].role != 'system' -%}
<|im_start|>system
Be brief.<|im_end|>
{% endif -%}"""
    + CHATML,
    "rules before the first user message": """<|endoftext|>{%- for m in messages -%}
{%- if m.role == 'system' -%}Rules: {{ m.content }}
{% else -%}{{ m.role }}: {{ m.content }}<|im_end|>{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}assistant: {% endif -%}""",
}
REFUSED = {
    "forgets earlier thoughts": (
        CHATML.replace(CONTENT, FORGETTING),
        "rewrites earlier messages at turn 1",
    ),
    "keeps thoughts after the last user message only": (
        LAST_USER + CHATML.replace("<|im_start|>{{ m", COUNT + "<|im_start|>{{ m").replace(CONTENT, PARTLY),
        "rewrites earlier messages at turn 1",
    ),
    "gives the last turn an empty thought": (
        CHATML.replace(CONTENT, EMPTY_AT_LAST),
        "does not render turn 1 as its text",
    ),
    "gives every turn an empty thought": (
        CHATML.replace(CONTENT, EMPTY),
        "does not render turn 1 as its text",
    ),
    "opens the thought for the model": (
        CHATML.replace("<|im_start|>assistant\n", "<|im_start|>assistant\n<think>\n"),
        "rewrites earlier messages at turn 0",
    ),
    "trims": (CHATML.replace("m.content", "m.content | trim"), "does not render turn 0 as its text"),
    "ends a turn with the next role": (
        """{%- for m in messages -%}<|{{ m.role }}|>{{ m.content }}{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}""",
        "does not render turn 0 as its text followed by",
    ),
    "ends a turn with another token": (
        CHATML.replace("<|im_end|>", "<|endoftext|>"),
        "does not render turn 0 as its text followed by '<|im_end|>'",
    ),
    "loses the end of the last turn": (
        CHATML.replace("<|im_end|>", "{{ '<|im_end|>' if m.role == 'user' or not loop.last }}"),
        "does not render turn 0 as its text followed by",
    ),
}
THOUGHTFUL = chat("<think>a</think>\n\nb\n", "no thought", "<think>c</think>d")


def tokenizer_with(template: str):
    return AutoTokenizer.from_pretrained(QUICKSTART, chat_template=template)


@pytest.fixture
def renderings(monkeypatch):
    """How often a template was applied so far."""
    calls = []
    kind = type(TOKENIZERS["small"])
    apply = kind.apply_chat_template
    monkeypatch.setattr(
        kind, "apply_chat_template", lambda *given, **named: calls.append(1) or apply(*given, **named)
    )
    return calls


@pytest.mark.parametrize("template", FRAMING.values(), ids=FRAMING)
@given(messages=chats())
@settings(deadline=None, max_examples=40)
def test_frames_cut_a_chat_as_rendering_turn_by_turn_does(template, messages):
    tokenizer = TOKENIZERS["quickstart"]
    kept, tokenizer.chat_template = tokenizer.chat_template, template
    try:
        frames = frames_of(tokenizer)
        assert frames.pieces(messages) == cut(messages, tokenizer) == list(cut_by_turn(messages, tokenizer))
    finally:
        tokenizer.chat_template = kept


@pytest.mark.parametrize("template", FRAMING.values(), ids=FRAMING)
def test_a_known_template_is_applied_once_per_conversation(template, renderings):
    tokenizer = tokenizer_with(template)
    render(chat("a"), tokenizer)
    renderings.clear()
    render(chat(*"abcdefg"), tokenizer)
    assert len(renderings) == 1


@pytest.mark.parametrize(("template", "sentence"), REFUSED.values(), ids=REFUSED)
def test_other_templates_are_refused_in_a_sentence(template, sentence):
    tokenizer = tokenizer_with(template)
    assert frames_of(tokenizer) is None
    with pytest.raises(RenderError) as caught:
        render(THOUGHTFUL, tokenizer, id="x")
    assert str(caught.value).startswith("x: the chat template ")
    assert sentence in str(caught.value)
    assert not isinstance(caught.value, UntrainableError)


def test_what_no_probe_thought_of_is_seen_in_the_conversation():
    """A template that is text around messages but for one word, which it takes out of earlier turns."""
    tokenizer = tokenizer_with(
        CHATML.replace("m.content", "m.content if loop.last else m.content | replace('[draft]', '')")
    )
    assert frames_of(tokenizer)
    assert render(chat("a", "b [draft]"), tokenizer)
    with pytest.raises(RenderError, match="rewrites earlier messages at turn 1"):
        render(chat("a [draft]", "b"), tokenizer)


def test_a_template_that_forgets_may_still_render_what_it_leaves_alone():
    tokenizer = tokenizer_with(REFUSED["forgets earlier thoughts"][0])
    assert render(chat("<think>a</think>b"), tokenizer) == render(
        chat("<think>a</think>b"), TOKENIZERS["quickstart"]
    )


def test_the_template_is_looked_at_again_when_it_changes():
    tokenizer = tokenizer_with(CHATML)
    before = frames_of(tokenizer)
    tokenizer.chat_template = CHATML.replace("{{ m.role }}\n", "{{ m.role }}: ").replace(
        "assistant\n", "assistant: "
    )
    assert frames_of(tokenizer) not in (None, before)
    tokenizer.eos_token = "<|endoftext|>"
    assert frames_of(tokenizer) is None


def test_a_default_system_message_stands_there_once():
    tokenizer = tokenizer_with(FRAMING["a default system message"])
    example = render(chat("a", "b", "c"), tokenizer)
    assert tokenizer.decode(example.input_ids).count("<|im_start|>system") == 1


def test_a_template_without_a_system_role_serves_chats_without_one():
    refusal = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    tokenizer = tokenizer_with(refusal + CHATML)
    assert frames_of(tokenizer).system is None
    assert cut(chat("a"), tokenizer) == cut(chat("a"), TOKENIZERS["quickstart"])
    with pytest.raises(jinja2.TemplateError, match="no system role"):
        cut([{"role": "system", "content": "be"}, *chat("a")], tokenizer)


def test_two_user_messages_in_a_row_are_cut_the_sure_way(renderings):
    tokenizer = TOKENIZERS["quickstart"]
    user = {"role": "user", "content": "wait"}
    messages = [user, *chat("a", "b")]
    assert [piece.text for piece in cut(messages, tokenizer)][::2] == [
        "<|im_start|>user\nwait<|im_end|>\n<|im_start|>user\ngo on<|im_end|>\n<|im_start|>assistant\n",
        "\n<|im_start|>user\ngo on<|im_end|>\n<|im_start|>assistant\n",
    ]
    swapped = [*chat("a"), {"role": "assistant", "content": "b"}, user, *chat("c")]
    assert len(cut(swapped, tokenizer)) == 6
