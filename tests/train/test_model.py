import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from terminal_lego.errors import ConfigError, StudentError
from train import model
from train.config import StudentConfig
from train.scale_config import ParallelConfig, TuningConfig

BASE = Path(__file__).parents[2] / "recipes" / "quickstart" / "base"
HALF = StudentConfig(str(BASE), precision="bf16")
WHOLE = StudentConfig(str(BASE), precision="fp32")
FULL, LORA = TuningConfig(), TuningConfig("lora", rank=2)
DDP, ZERO3 = ParallelConfig(), ParallelConfig(engine="zero3")
LINEAR = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]


def trained(made) -> dict[str, torch.dtype]:
    return {name: each.dtype for name, each in made.named_parameters() if each.requires_grad}


@pytest.mark.parametrize(
    ("student", "tuning", "parallel", "base", "learnt"),
    [
        (WHOLE, FULL, DDP, torch.float32, torch.float32),
        (HALF, FULL, DDP, torch.float32, torch.float32),
        (HALF, FULL, ZERO3, torch.bfloat16, torch.bfloat16),  # DeepSpeed keeps its own float32 copy
        (HALF, LORA, DDP, torch.bfloat16, torch.float32),
        (HALF, LORA, ZERO3, torch.bfloat16, torch.float32),
    ],
)
def test_what_is_trained_is_kept_in_float32(student, tuning, parallel, base, learnt):
    made = model.load(student, tuning, parallel)
    assert set(trained(made).values()) == {learnt}
    assert made.get_input_embeddings().weight.dtype == base


def test_adapters_go_where_they_are_told():
    everywhere = trained(model.load(WHOLE, LORA, DDP))
    assert {name.split(".")[-4] for name in everywhere} == set(LINEAR)
    chosen = trained(model.load(WHOLE, replace(LORA, targets=["q_proj", "v_proj"]), DDP))
    assert {name.split(".")[-4] for name in chosen} == {"q_proj", "v_proj"}
    assert {name for name, each in chosen.items()} < everywhere.keys()


def test_linear_modules_are_all_but_the_output():
    assert model.linear_modules(AutoModelForCausalLM.from_pretrained(BASE)) == LINEAR


@pytest.mark.parametrize("targets", [["c_attn"], ["q_proj", "c_attn"], ["proj"]])
def test_adapters_that_fit_nowhere_are_refused(targets):
    with pytest.raises(StudentError) as caught:
        model.load(WHOLE, replace(LORA, targets=targets), DDP)
    assert str(caught.value) == (
        f"tuning.targets: {targets[-1]} is no module of {BASE}; its linear modules are {', '.join(LINEAR)}, "
        "or take [all-linear]."
    )


def test_4_bit_weights_need_a_gpu_a_package_and_ddp(monkeypatch):
    qlora = TuningConfig("qlora")
    with pytest.raises(ConfigError, match=r"tuning.method=qlora needs a GPU: choose lora"):
        model.refuse_untrainable(qlora, DDP, gpus=0)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs the package bitsandbytes \(pip install bitsandbytes\)"):
        model.refuse_untrainable(qlora, DDP, gpus=1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with pytest.raises(ConfigError, match=r"parallel.engine=zero3 shares weights out: choose ddp"):
        model.refuse_untrainable(qlora, ZERO3, gpus=1)
    model.refuse_untrainable(qlora, DDP, gpus=1)
    model.refuse_untrainable(FULL, ZERO3, gpus=0)


@pytest.fixture
def tokenizer():
    return AutoTokenizer.from_pretrained(BASE)


@pytest.mark.parametrize(("student", "dtype"), [(WHOLE, torch.float32), (HALF, torch.bfloat16)])
def test_a_student_is_saved_in_its_precision(student, dtype, tokenizer, tmp_path):
    made = model.load(student, FULL, DDP)
    with torch.no_grad():
        made.get_input_embeddings().weight += 1
    made.save_pretrained(tmp_path / "checkpoint")
    model.save(tmp_path / "checkpoint", tmp_path / "student", student, FULL, tokenizer)
    saved = load_file(tmp_path / "student" / "model.safetensors")
    assert {each.dtype for each in saved.values()} == {dtype}
    assert torch.equal(saved["model.embed_tokens.weight"], made.get_input_embeddings().weight.to(dtype))
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "student").dtype == dtype
    assert_ends_its_turns(tmp_path / "student", tokenizer)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT, when it loads
def test_a_student_with_adapters_names_its_base(tokenizer, tmp_path):
    made = model.load(WHOLE, LORA, DDP)
    with torch.no_grad():
        for name, each in made.named_parameters():
            if "lora_B" in name:
                each += 0.1
    made.save_pretrained(tmp_path / "checkpoint")
    model.save(tmp_path / "checkpoint", tmp_path / "student", WHOLE, LORA, tokenizer)
    shutil.rmtree(tmp_path / "checkpoint")
    tokens = torch.tensor([[5, 6, 7]])
    base = AutoModelForCausalLM.from_pretrained(BASE)
    before = base(tokens).logits
    after = PeftModel.from_pretrained(base, tmp_path / "student")(tokens).logits
    assert not torch.allclose(before, after, atol=0.1)
    torch.testing.assert_close(after, made.eval()(tokens).logits)
    torch.testing.assert_close(
        AutoModelForCausalLM.from_pretrained(tmp_path / "student")(tokens).logits, after
    )
    assert_ends_its_turns(tmp_path / "student", tokenizer)


def assert_ends_its_turns(folder: Path, tokenizer) -> None:
    generation = GenerationConfig.from_pretrained(folder)
    assert generation.eos_token_id == tokenizer.eos_token_id
    assert generation.pad_token_id == tokenizer.pad_token_id
    assert AutoTokenizer.from_pretrained(folder).chat_template == tokenizer.chat_template
