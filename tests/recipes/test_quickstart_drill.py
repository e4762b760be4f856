from itertools import islice
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from recipes.quickstart import drill
from recipes.quickstart.tokenizer import build_tokenizer, name_tokens
from terminal_lego.errors import StudentError

BASE = Path(__file__).parents[2] / "recipes" / "quickstart" / "base"
TOKENIZER = build_tokenizer()
PIECES = name_tokens(TOKENIZER)
torch.set_num_threads(1)  # these models gain nothing from more


@pytest.mark.parametrize("length", drill.LENGTHS)
def test_what_is_predictable_continues_a_span_of_distinct_pieces(length):
    tokens, predictable = drill.spans(length, len(PIECES), torch.Generator().manual_seed(length))
    assert tokens.shape == predictable.shape == (drill.BATCH, length)
    assert 0 <= int(tokens.min()) <= int(tokens.max()) < len(PIECES)
    half = min(length // 2, 64)
    for row, marks in zip(tokens.tolist(), predictable.tolist(), strict=True):
        source = row[:half]
        assert len(set(source)) == half
        assert not any(marks[: half + 1])
        assert sum(marks) >= (length - half) / 2
        for at in range(half, length):
            assert row[at] in source
            if marks[at]:
                assert source.index(row[at]) == source.index(row[at - 1]) + 1


def test_the_shipped_base_copies_and_an_undrilled_one_does_not():
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    base = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    assert name_tokens(tokenizer) == PIECES
    assert drill.copy_accuracy(base, PIECES) > drill.PASS_MARK
    assert drill.copy_accuracy(drill.new_model(tokenizer, 0), PIECES) < 0.1


def test_the_shipped_base_has_the_shape_the_code_makes():
    base = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    made = drill.new_model(TOKENIZER, 0)
    assert {name: value.shape for name, value in base.state_dict().items()} == {
        name: value.shape for name, value in made.state_dict().items()
    }
    for key in ("eos_token_id", "pad_token_id", "max_position_embeddings", "rope_parameters", "vocab_size"):
        assert getattr(base.config, key) == getattr(made.config, key)
    assert base.generation_config.eos_token_id == TOKENIZER.eos_token_id


def run(seed: int, steps: int) -> tuple[list[tuple[int, int, float]], torch.nn.Module]:
    model = drill.new_model(TOKENIZER, seed)
    return list(islice(drill.drill(model, PIECES, seed), steps // 10)), model


def test_a_seed_decides_the_drill(monkeypatch):
    """With few rows and a mark that is passed at once: the second length is reached in a few steps."""
    monkeypatch.setattr(drill, "BATCH", 4)
    monkeypatch.setattr(drill, "LENGTHS", (16, 32))
    monkeypatch.setattr(drill, "PASS_MARK", 0.0)
    (one, model), (same, twin), (_, other) = run(0, 20), run(0, 20), run(1, 20)
    assert [length for _, length, _ in one] == [16, 32]
    assert one == same
    for name, value in model.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name])
    assert not torch.equal(model.lm_head.weight, other.lm_head.weight)


def test_a_drill_that_does_not_get_there_says_so(monkeypatch):
    monkeypatch.setattr(drill, "BATCH", 4)
    monkeypatch.setattr(drill, "MOST_STEPS", 10)
    with pytest.raises(StudentError, match=r"seed 0: accuracy 0\.\d\d at length 32 after 10 steps"):
        run(0, 100)
