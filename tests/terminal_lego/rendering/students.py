"""Tokenizers that think, teachers' trajectories with thoughts, and a server that shows them to a student."""

from functools import cache
from pathlib import Path

from hypothesis import strategies as st
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from terminal_lego.rendering.tokenizer import load_tokenizer
from terminal_lego.trajectory import Message, Trajectory, Turn
from tests.terminal_lego.rendering.samples import QUICKSTART, ROOT

FORGETFUL = (Path(__file__).parent / "forgetful.jinja").read_text()
TEMPLATES = {
    "ours": (ROOT / "train" / "templates" / "chatml.jinja").read_text(),
    "stock": FORGETFUL,
    "opening": "{%- set opens_thought = true -%}\n" + FORGETFUL,
}
TEXTS = st.text(st.sampled_from('ab {}"\n\\<>/é🦜:'), max_size=12)
REPLIES = TEXTS.map(lambda text: "{" + text)
"""No tag or special token can be spelt with these letters."""


def tokenizer_with(template: str) -> PreTrainedTokenizerFast:
    """One that has the tags of thoughts as tokens of their own, not special ones, as Qwen3 does."""
    tokenizer = load_tokenizer(str(QUICKSTART))
    tokenizer.add_tokens(
        [AddedToken(tag, special=False, normalized=False) for tag in ("<think>", "</think>")]
    )
    tokenizer.chat_template = template
    return tokenizer


@cache
def student(name: str, thinking: str) -> PreTrainedTokenizerFast:
    """A tokenizer as `load_tokenizer` sets it up for a policy."""
    from terminal_lego.rendering.thinking import pinned

    return tokenizer_with(pinned(TEMPLATES[name], thinking))


@st.composite
def trajectories(draw) -> Trajectory:
    turns = draw(st.lists(st.tuples(REPLIES, TEXTS, st.none() | TEXTS), min_size=1, max_size=4))
    made = tuple(Turn(reply, screen, reasoning=thought) for reply, screen, thought in turns)
    return Trajectory("t", "task", "m", draw(TEXTS), made)


def served(tokenizer: PreTrainedTokenizerFast, messages: list[Message], **switches: bool) -> list[int]:
    """The prompt of a server."""
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, **switches)[
        "input_ids"
    ]
