import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM
from trl.kernels import chunked_logprob

from tests.train import one_step as steps
from tests.train.one_step import EIGHT, PAD, VOCABULARY, Step, one_step, plain, student
from train.packing import Collator

ROOT = Path(__file__).parents[2]
IN_PAIRS = [[0, 1], [2, 3], [4, 5], [6, 7]]


def assert_equal(step: Step, loss: float, gradients: dict[str, torch.Tensor], tolerance: float = 1e-6):
    assert step.loss == pytest.approx(loss, abs=tolerance)
    assert step.gradients.keys() == gradients.keys()
    for name, expected in gradients.items():
        torch.testing.assert_close(step.gradients[name], expected, rtol=1e-4, atol=tolerance)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("packed", [False, True])
def test_loss_and_gradient_are_those_of_the_plain_formula(tied, attention, packed):
    """Fractional weights; the fused head against all logits, one batch against each conversation alone."""
    loss, gradients = plain(student(tied=tied, attention=attention), EIGHT)
    model = student(tied=tied, attention=attention)
    assert_equal(one_step(EIGHT, model=model, packed=packed), loss, gradients)


@pytest.mark.parametrize("accumulation", [1, 2, 4, 8])
@pytest.mark.parametrize("packed", [False, True])
def test_the_step_does_not_depend_on_its_micro_batches(accumulation, packed):
    step = one_step(EIGHT, batch=8 // accumulation, accumulation=accumulation, packed=packed)
    assert_equal(step, *plain(student(), EIGHT))


def test_the_step_does_not_depend_on_the_packs():
    expected = plain(student(), EIGHT)
    assert_equal(one_step(EIGHT, IN_PAIRS, batch=2, accumulation=2, packed=True), *expected)
    assert_equal(one_step(EIGHT, [[4, 7, 2, 0, 6, 3, 5, 1]], batch=1, packed=True, multiple=64), *expected)


def test_two_processes_take_the_step_of_one(tmp_path):
    """Padded, packed, and when all that is trained falls to one of them."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += [steps.__file__, str(tmp_path / "steps")]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    world, *taken = torch.load(tmp_path / "steps")
    assert world == 2
    for fields, rows in zip(taken, (EIGHT, EIGHT, EIGHT[:1]), strict=True):
        step = Step(**fields)
        assert_equal(step, *plain(student(), rows))
        assert step.logged["trained_weight"] == pytest.approx(weight(rows))


def weight(rows) -> float:
    return sum(sum(row.weights[1:]) for row in rows)


def test_the_normaliser_and_the_accuracy_are_logged():
    step = one_step(EIGHT, accumulation=4, batch=2)
    assert step.logged["trained_weight"] == pytest.approx(weight(EIGHT))
    right = trained = 0
    model = student()
    for row in EIGHT:
        tokens, used = torch.tensor(row.input_ids), torch.tensor(row.weights)[1:] != 0
        best = model(input_ids=tokens[None]).logits[0, :-1].argmax(-1)
        right += int((best == tokens[1:])[used].sum())
        trained += int(used.sum())
    assert step.logged["mean_token_accuracy"] == pytest.approx(right / trained)


def masked(row):
    return type(row)(row.id, row.input_ids, type(row.weights)("f", [0.0] * len(row.weights)), ())


@pytest.mark.parametrize("packed", [False, True])
def test_a_micro_batch_without_trained_tokens_adds_nothing(packed):
    """Neither to the sums nor to the normaliser; and a filler is such a row."""
    rows = [*EIGHT[:2], masked(EIGHT[2]), masked(EIGHT[3])]
    step = one_step(rows, [[0], [1], [2], [3], [], []], batch=2, accumulation=3, packed=packed)
    assert_equal(step, *plain(student(), EIGHT[:2]))


@pytest.mark.parametrize("packed", [False, True])
def test_a_step_without_trained_tokens_is_zero_and_finite(packed):
    step = one_step([masked(row) for row in EIGHT], packed=packed)
    assert step.loss == 0
    assert all(not gradient.any() for gradient in step.gradients.values())


def test_doubling_all_weights_changes_nothing_and_doubling_one_does():
    def scaled(row, factor):
        return type(row)(row.id, row.input_ids, type(row.weights)("f", [factor * w for w in row.weights]), ())

    once = one_step(EIGHT)
    assert_equal(one_step([scaled(row, 2) for row in EIGHT]), once.loss, once.gradients)
    assert one_step([scaled(EIGHT[4], 2), *EIGHT[:4], *EIGHT[5:]]).loss != pytest.approx(once.loss, abs=1e-3)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_adapters_get_the_gradient_of_the_plain_formula():
    def adapted():
        model = get_peft_model(
            student(), LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
        )
        torch.manual_seed(1)
        for name, each in model.named_parameters():
            if "lora" in name:
                torch.nn.init.normal_(each, std=0.1)
        return model

    loss, gradients = plain(adapted(), EIGHT)
    assert any(gradient.any() for gradient in gradients.values())
    assert_equal(one_step(EIGHT, IN_PAIRS, model=adapted(), batch=4, packed=True), loss, gradients)


def test_bf16_is_near_the_plain_formula_in_bf16():
    """Within 1 % in loss and 2 % of the gradient's length: 8 bits, summed up in another order."""
    loss, gradients = plain(student(dtype=torch.bfloat16), EIGHT)
    step = one_step(EIGHT, model=student(dtype=torch.bfloat16))
    assert step.loss == pytest.approx(loss, rel=1e-2)
    ours, theirs = (
        torch.cat([g.flatten().float() for g in each.values()]) for each in (step.gradients, gradients)
    )
    assert (ours - theirs).norm() < 0.02 * theirs.norm()


def test_experts_keep_their_balancing_loss():
    config = Qwen3MoeConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        moe_intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        num_experts=4,
        num_experts_per_tok=2,
        router_aux_loss_coef=0.1,
    )

    def experts():
        torch.manual_seed(0)
        return Qwen3MoeForCausalLM(config)

    loss, _ = plain(experts(), EIGHT)
    tokens = torch.cat([torch.tensor(row.input_ids) for row in EIGHT])[None]
    positions = Collator(EIGHT, PAD, packed=True)([{"rows": range(8)}])["position_ids"]
    outputs = experts()(input_ids=tokens, position_ids=positions, use_cache=False, output_router_logits=True)
    step = one_step(EIGHT, [list(range(8))], model=experts(), batch=1, packed=True)
    assert outputs.aux_loss > 0
    assert step.loss == pytest.approx(loss + 0.1 * outputs.aux_loss.item(), abs=1e-5)


def test_only_trained_positions_are_projected(monkeypatch):
    projected = []
    fold = chunked_logprob._forward_tile

    def counted(tile, stride, targets, *rest, **flags):
        projected.append(len(targets))
        return fold(tile, stride, targets, *rest, **flags)

    monkeypatch.setattr(chunked_logprob, "_forward_tile", counted)
    one_step(EIGHT)
    assert sum(projected) == sum(w != 0 for row in EIGHT for w in row.weights[1:])


def test_rows_of_very_different_length_count_by_their_tokens():
    """The mean over conversations would be another number."""
    rows = [EIGHT[4], EIGHT[5]]
    each = [plain(student(), [row])[0] for row in rows]
    step = one_step(rows, batch=1, accumulation=2)
    shares = [weight([row]) / weight(rows) for row in rows]
    assert step.loss == pytest.approx(sum(s * loss for s, loss in zip(shares, each, strict=True)), abs=1e-6)
    assert step.loss != pytest.approx(sum(each) / 2, abs=1e-2)
