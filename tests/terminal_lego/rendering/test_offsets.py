import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models

from terminal_lego.rendering.masks import MaskConfig, mask
from terminal_lego.rendering.offsets import Offsets, counted, token_bytes
from terminal_lego.rendering.render import render_all, render_trajectory
from tests.terminal_lego.rendering.samples import TEXTS, TOKENIZERS
from tests.train.scripted import conversations


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(text=TEXTS.filter(bool))
@settings(deadline=None, max_examples=200)
def test_counting_agrees_with_the_tokenizer(kind, text):
    core = TOKENIZERS[kind].backend_tokenizer
    encoding = core.encode(text, add_special_tokens=False)
    found = counted(text, encoding.ids, token_bytes(core))
    assert found is None or found == Offsets.of(encoding.offsets)
    if text.isascii():
        assert found is not None


@given(st.text(min_size=1, max_size=30))
@settings(deadline=None)
def test_tokens_that_spell_something_else_are_not_counted(text):
    core = TOKENIZERS["small"].backend_tokenizer
    ids = core.encode(text, add_special_tokens=False).ids
    assert counted(text + "x", ids, token_bytes(core)) is None


def test_only_tokens_of_bytes_are_counted():
    core = Tokenizer(models.WordLevel({"a": 0}, "a"))
    core.decoder = decoders.WordPiece()
    assert token_bytes(core) is None


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_stream_is_rendered_as_each_of_its_trajectories_is_alone(kind):
    config = MaskConfig(hide=["observation"], unit="span")
    given = conversations(40)
    for trajectory, example in render_all(given, TOKENIZERS[kind], config):
        alone = render_trajectory(trajectory, TOKENIZERS[kind], mask(trajectory, config).turns)
        assert alone.parts
        assert example == alone
