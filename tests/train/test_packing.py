import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import Qwen3NextConfig, Qwen3NextForCausalLM
from trl.trainer.utils import add_fused_lm_head

from terminal_lego.errors import ConfigError
from terminal_lego.rendering.example import IGNORED
from tests.train.one_step import EIGHT, VOCABULARY, examples, student
from train.packing import Collator, dataset, pack, refuse_leaks, waste

SIZE = 100
PAD = 0


@given(st.lists(st.integers(1, SIZE), max_size=60))
def test_every_row_is_in_one_pack_and_no_pack_is_too_long(lengths):
    packs = pack(lengths, SIZE)
    assert sorted(row for rows in packs for row in rows) == list(range(len(lengths)))
    tokens = sorted(sum(lengths[row] for row in rows) for rows in packs)
    assert all(0 < count <= SIZE for count in tokens)
    assert len(tokens) < 2 or tokens[0] + tokens[1] > SIZE  # no two packs could be one
    assert packs == pack(lengths, SIZE)


def test_each_row_goes_where_it_fits_best():
    assert pack([2, 3, 4, 5, 6], 10) == [[4, 2], [3, 1, 0]]
    assert pack([7, 6, 3, 4, 4], 10) == [[0, 2], [1, 3], [4]]


def test_rows_of_equal_length_keep_their_order():
    assert pack([5] * 4, 10) == [[0, 1], [2, 3]]


def test_a_row_longer_than_a_pack_is_named():
    with pytest.raises(ConfigError, match=r"row 1 has 101 tokens.*sft.max_length=100"):
        pack([3, 101], SIZE)


@pytest.mark.parametrize("spread", [0.5, 0.8, 1.1])
def test_conversations_as_long_as_real_ones_leave_little_empty(spread):
    mean, size = 8_800, 32_768
    drawn = np.random.default_rng(0).lognormal(math.log(mean) - spread**2 / 2, spread, 15_000).astype(int)
    lengths = [int(length) for length in drawn if 0 < length <= size]
    assert len(lengths) > 14_000
    packs = pack(lengths, size)
    assert waste(packs, lengths, size) < 0.02


def test_waste_is_the_share_no_row_fills():
    assert waste([[0, 1], [2]], [40, 50, 20], SIZE) == pytest.approx(0.45)


def test_the_data_set_holds_packs_and_a_filler():
    items = dataset([[0, 2], [1]])
    assert [item["rows"] for item in items] == [[0, 2], [1], []]


ROWS = examples(3, 5)
TOKENS = [list(row.input_ids) for row in ROWS]


def test_a_padded_batch():
    batch = Collator(ROWS, PAD, packed=False, multiple=4)([{"rows": [1]}, {"rows": [0]}, {"rows": []}])
    (w1, w0) = (list(ROWS[1].weights), list(ROWS[0].weights))
    assert batch["input_ids"].tolist() == [TOKENS[1] + [PAD] * 3, TOKENS[0] + [PAD] * 5, [PAD] * 8]
    assert batch["attention_mask"].tolist() == [[1] * 5 + [0] * 3, [1] * 3 + [0] * 5, [1] + [0] * 7]
    assert batch["shift_weights"].tolist() == [w1[1:] + [0] * 4, w0[1:] + [0] * 6, [0] * 8]
    assert batch["shift_weights"].dtype == torch.float32
    assert batch["labels"][:, 0].tolist() == [IGNORED] * 3
    assert set(batch) == {"input_ids", "labels", "shift_weights", "position_ids", "attention_mask"}


def test_a_packed_batch():
    batch = Collator(ROWS, PAD, packed=True, multiple=6)([{"rows": [1, 0]}, {"rows": []}])
    assert batch["input_ids"].tolist() == [[*TOKENS[1], *TOKENS[0], PAD, PAD, PAD, PAD]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 0, 0, 1, 2]]
    assert batch["seq_idx"].tolist() == [[0] * 5 + [1] * 3 + [2] + [3] * 3]
    assert batch["cu_seq_lens_q"].tolist() == batch["cu_seq_lens_k"].tolist() == [0, 5, 8, 9, 12]
    assert batch["max_length_q"] == batch["max_length_k"] == 5
    assert "attention_mask" not in batch
    assert batch["labels"][0, 5] == IGNORED
    assert batch["shift_weights"][0, 4] == 0


@pytest.mark.parametrize("packed", [False, True])
def test_labels_and_weights_agree_on_what_is_trained(packed):
    batch = Collator(EIGHT, PAD, packed=packed)([{"rows": [row]} for row in range(8)])
    labels, weights = batch["labels"][:, 1:], batch["shift_weights"][:, :-1]
    assert torch.equal(labels != IGNORED, weights != 0)
    assert torch.equal(labels[labels != IGNORED], batch["input_ids"][:, 1:][labels != IGNORED])
    assert weights.double().sum().item() == pytest.approx(sum(sum(row.weights[1:]) for row in EIGHT))
    assert not batch["shift_weights"][:, -1].any()


def test_without_borders_all_is_of_one_shape():
    batch = Collator(ROWS, PAD, packed=True, borders=False)([{"rows": [0, 1]}])
    assert {tuple(each.shape) for each in batch.values()} == {(1, 8)}


def losses(model, collator, *rows: int) -> list[torch.Tensor]:
    """-log p of what each conversation's tokens are, conversation by conversation."""
    batch = collator([{"rows": rows}])
    batch.pop("shift_weights"), batch.pop("labels")
    scores = model(**batch, use_cache=False).logits[0, :-1].log_softmax(-1)
    nll = -scores.gather(1, batch["input_ids"][0, 1:, None])[:, 0]
    lengths = [len(EIGHT[row].input_ids) for row in rows]
    parts = nll.split([*lengths[:-1], lengths[-1] - 1])
    return [part[: length - 1] for part, length in zip(parts, lengths, strict=True)]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_conversation_after_another_has_the_loss_it_has_alone(attention):
    model, collator = student(attention=attention), Collator(EIGHT, PAD, packed=True)
    rows = (2, 4, 7, 1)
    for row, packed in zip(rows, losses(model, collator, *rows), strict=True):
        (alone,) = losses(model, collator, row)
        torch.testing.assert_close(packed, alone, rtol=0, atol=1e-5)


def probe(model, *, with_borders: bool) -> None:
    add_fused_lm_head(model)
    refuse_leaks(model, device="cpu", vocabulary=VOCABULARY, with_borders=with_borders)


@pytest.mark.parametrize("with_borders", [True, False])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_student_that_keeps_conversations_apart_may_pack(attention, with_borders):
    model = student(attention=attention).train()
    probe(model, with_borders=with_borders)
    assert model.training


@pytest.mark.parametrize("with_borders", [True, False])
def test_a_student_that_reads_across_conversations_may_not_pack(with_borders):
    """Linear attention without the kernels that know where a conversation begins."""
    config = Qwen3NextConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        linear_num_value_heads=2,
        linear_num_key_heads=2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        layer_types=["linear_attention", "full_attention"],
        num_experts=0,
    )
    torch.manual_seed(0)
    with pytest.raises(ConfigError, match=r"set sft.packing=false"):
        probe(Qwen3NextForCausalLM(config), with_borders=with_borders)
