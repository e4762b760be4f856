import math
from array import array
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from terminal_lego.rendering.example import Example, Span
from terminal_lego.rendering.masks import MaskConfig
from terminal_lego.rendering.render import render_all
from terminal_lego.rendering.tokenizer import load_tokenizer
from tests.train.scripted import conversations
from train.metrics import Clipping, LossProbe, Throughput, sample_rows, turn_range

BASE = Path(__file__).parents[2] / "recipes" / "quickstart" / "base"
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(str(BASE))


@pytest.fixture(scope="module")
def examples(tokenizer) -> list[Example]:
    return [example for _, example in render_all(conversations(4), tokenizer, MaskConfig())]


@pytest.fixture(scope="module")
def model():
    return AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)


def test_throughput_is_of_the_time_since_the_last_reading():
    times = iter([0.0, 5.0, 7.0, 17.0])
    speed = Throughput(flops_per_token=6e9, peak=6e12, clock=lambda: next(times))
    speed.start()
    assert speed.read(200) == pytest.approx({"train/tokens_per_second": 100, "train/mfu": 0.1})
    assert speed.read(1200) == pytest.approx({"train/tokens_per_second": 100, "train/mfu": 0.1})


@pytest.mark.parametrize(("flops", "peak"), [(None, 1e12), (6e9, 0.0)])
def test_no_utilisation_of_what_is_not_known(flops, peak):
    times = iter([0.0, 1.0])
    assert Throughput(flops, peak, clock=lambda: next(times)).read(7) == {"train/tokens_per_second": 7}


def test_clipped_steps_are_counted():
    clipping = Clipping(1.0)
    shares = [clipping.add(norm)["train/clipped_share"] for norm in (0.5, 2.0, 1.0, 3.0)]
    assert shares == [0, 1 / 2, 1 / 3, 1 / 2]
    assert clipping.add(7.5)["train/grad_norm"] == 7.5
    assert clipping.warning() is None


@pytest.mark.parametrize(("clipped", "steps", "warns"), [(49, 49, False), (50, 50, True), (95, 100, False)])
def test_a_warning_when_nearly_all_steps_are_clipped(clipped, steps, warns):
    clipping = Clipping(1e-4)
    for step in range(steps):
        clipping.add(1.0 if step < clipped else 0.0)
    warning = clipping.warning()
    assert bool(warning) == warns
    if warns:
        assert "100% of 50 logged steps were clipped to sft.clip=0.0001" in warning
        assert clipping.warning() is None, "said once"


def test_ranges_of_turns_double():
    assert [turn_range(turn) for turn in (0, 1, 2, 3, 6, 7, 14, 15, 400)] == [
        *("1", "2-3", "2-3", "4-7", "4-7", "8-15", "8-15", "16+", "16+")
    ]


def by_hand(model, example: Example) -> np.ndarray:
    """Loss of each token, from the full logits; the first has none."""
    ids = torch.tensor([list(example.input_ids)])
    with torch.no_grad():
        scores = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
    return np.concatenate([[0], -scores.gather(1, ids[0, 1:, None])[:, 0].numpy()])


def test_the_parts_add_up_to_the_loss(model, examples):
    found = LossProbe(examples).measure(model, precision="fp32")
    losses = [by_hand(model, example) for example in examples]
    trained = [np.asarray(example.weights) > 0 for example in examples]
    assert found["probe/loss"] == pytest.approx(
        np.concatenate(losses)[np.concatenate(trained)].mean(), rel=1e-4
    )
    first = np.concatenate(
        [
            each[span.start : span.end]
            for each, example in zip(losses, examples, strict=True)
            for span in example.spans
            if span.role == "assistant" and span.turn == 0
        ]
    )
    assert found["probe/loss_by_turn/1"] == pytest.approx(first.mean(), rel=1e-4)
    labels = {part.label for example in examples for part in example.parts}
    assert {f"probe/loss_by_part/{label}" for label in labels | {"reply text"}} <= set(found)
    one = next(iter(labels))
    spelled = np.concatenate(
        [
            each[part.start : part.end]
            for each, example in zip(losses, examples, strict=True)
            for part in example.parts
            if part.label == one
        ]
    )
    assert found[f"probe/loss_by_part/{one}"] == pytest.approx(spelled.mean(), rel=1e-4)


def test_tokens_count_by_their_weight(model):
    ids, weights = array("i", [1, 5, 9, 7, 3]), array("f", [1.0, 1.0, 0.5, 0.0, 0.25])
    example = Example("x", ids, weights, (Span("user", 0, 0, 1), Span("assistant", 0, 1, 5)))
    losses, scale = by_hand(model, example), np.array([0, 1, 0.5, 0, 0.25])
    found = LossProbe([example]).measure(model, precision="fp32")
    assert found["probe/loss"] == pytest.approx((losses * scale).sum() / scale.sum(), rel=1e-4)


def test_the_same_tokens_every_time_and_the_training_goes_on_unchanged(model, examples):
    model.train()
    state = torch.random.get_rng_state()
    few = LossProbe(examples, count=2, most_tokens=3).measure(model, precision="fp32")
    assert few == LossProbe(examples, count=2, most_tokens=3).measure(model, precision="fp32")
    assert few != LossProbe(examples, count=2, most_tokens=3, seed=1).measure(model, precision="fp32")
    assert model.training
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_half_precision_is_near(model, examples):
    half, single = (
        LossProbe(examples).measure(model, precision=each)["probe/loss"] for each in ("bf16", "fp32")
    )
    assert half != single
    assert half == pytest.approx(single, rel=0.02)
    assert math.isfinite(half)


def test_samples_show_what_is_trained(examples, tokenizer):
    rows = sample_rows(examples, tokenizer, count=2)
    assert rows == sample_rows(examples, tokenizer, count=2)
    assert len(rows) == 2
    chosen = {example.id: example for example in examples}
    for row in rows:
        example = chosen[row["id"]]
        assert row["tokens"] == len(example.input_ids)
        assert row["trained"] == example.trained_tokens
        assert "{+" in row["text"]
    assert len(sample_rows(examples, tokenizer, count=99)) == len(examples)
