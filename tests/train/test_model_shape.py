import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    Qwen2Config,
    Qwen3Config,
)

from terminal_lego.errors import StudentError
from tests.train.shapes import LLAMA_8B, QWEN3_8B, QWEN3_32B, QWEN25_7B, QWEN25_32B
from train.memory import layer_activations
from train.model_shape import read_shape, shape_of
from train.scale_config import TuningConfig

PEAK = 989e12
FULL, LORA = TuningConfig(), TuningConfig(method="lora")
SIZES = {
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "intermediate_size": 160,
    "vocab_size": 300,
}
CONFIGS = [
    Qwen3Config(**SIZES, head_dim=24),
    Qwen3Config(**SIZES, head_dim=24, tie_word_embeddings=True, attention_bias=True),
    Qwen2Config(**SIZES),
    LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True),
    MistralConfig(**SIZES),
]


def names(config) -> str:
    return f"{config.model_type}-{config.tie_word_embeddings}"


@pytest.mark.parametrize("config", CONFIGS, ids=names)
def test_parameters_are_those_of_the_model(config):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert shape_of(config).parameters == model.num_parameters()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")
def test_adapter_parameters_are_those_of_the_adapters():
    from peft import LoraConfig, get_peft_model

    for targets in (["all-linear"], ["q_proj", "down_proj"]):
        model = AutoModelForCausalLM.from_config(CONFIGS[0])
        wanted = "all-linear" if targets == ["all-linear"] else targets
        get_peft_model(model, LoraConfig(r=5, target_modules=wanted, task_type="CAUSAL_LM"))
        trained = sum(each.numel() for name, each in model.named_parameters() if "lora" in name)
        tuning = TuningConfig(method="lora", rank=5, targets=targets)
        assert shape_of(CONFIGS[0]).adapter_parameters(tuning) == trained > 0


def test_known_sizes():
    assert QWEN3_8B.parameters == pytest.approx(8.19e9, rel=1e-3)
    assert QWEN3_32B.parameters == pytest.approx(32.76e9, rel=1e-3)
    assert LLAMA_8B.parameters == pytest.approx(8.03e9, rel=1e-3)


def test_a_family_that_is_not_known_has_no_shape():
    assert shape_of(MixtralConfig(**SIZES)) is None


def test_the_shape_is_read_from_config_json(tmp_path):
    CONFIGS[0].save_pretrained(tmp_path)
    assert read_shape(str(tmp_path)) == shape_of(AutoConfig.from_pretrained(tmp_path))
    with pytest.raises(StudentError, match="no configuration that can be read"):
        read_shape(str(tmp_path / "none"))


# Operations: published figures, each with the convention it was published under


@pytest.mark.parametrize(
    ("shape", "tokens", "gigaflops"),
    [
        (QWEN3_8B, 16384, 59.9),
        (QWEN3_8B, 32768, 74.4),
        (QWEN3_32B, 16384, 243.4),
        (QWEN3_32B, 32768, 294.9),
    ],
)
def test_operations_of_a_token(shape, tokens, gigaflops):
    assert shape.flops([tokens], FULL) / tokens == pytest.approx(gigaflops * 1e9, rel=1e-3)


@pytest.mark.parametrize(
    ("shape", "tokens", "per_second", "utilisation"),
    [
        (LLAMA_8B, 32768, 3890, 0.28),  # torchtitan, 8 x H100, 32k
        (QWEN3_8B, 2**20, 360, 0.35),  # TRL#6845, 8 x H100, 1M
        (QWEN3_32B, 2**20, 101, 0.36),
    ],
)
def test_published_throughput_comes_to_the_published_utilisation(shape, tokens, per_second, utilisation):
    reached = shape.flops([tokens], FULL) / tokens * per_second / PEAK
    assert reached == pytest.approx(utilisation, abs=0.007)


@pytest.mark.parametrize(
    ("shape", "per_second", "teraflops"),
    [(LLAMA_8B, 12473, 402), (QWEN25_7B, 14110, 423), (QWEN25_32B, 2250, 301)],  # NeMo Automodel, 4k
)
def test_published_speed_with_adapters_comes_to_the_published_operations(shape, per_second, teraflops):
    reached = shape.flops([4096], LORA) / 4096 * per_second / 1e12
    assert reached == pytest.approx(teraflops, rel=0.05)


def test_recomputing_adds_a_third_and_packing_saves_attention():
    once, twice = (QWEN3_8B.flops([32768], FULL, recomputed=each) for each in (False, True))
    assert twice / once == pytest.approx(4 / 3)
    halves = QWEN3_8B.flops([16384, 16384], FULL)
    assert once - halves == pytest.approx(6 * 36 * 4096 * 32768**2 / 2)


# What a layer keeps for the backward pass


@pytest.mark.parametrize("config", CONFIGS, ids=names)
@pytest.mark.parametrize("how", ["bf16", "fp32", "autocast"])
def test_a_layer_saves_what_is_counted(config, how):
    """Bytes that autograd keeps for one more layer, the model's own tensors left out."""
    tokens, kept = 64, []
    for layers in (1, 2):
        config = type(config)(**config.to_dict() | {"num_hidden_layers": layers, "layer_types": None})
        model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
        model.to(torch.bfloat16 if how == "bf16" else torch.float32)
        kept.append(saved_bytes(model, tokens, how == "autocast"))
    shape, width = shape_of(config), 4 if how == "fp32" else 2
    counted = tokens * layer_activations(shape, width, autocast=how == "autocast")
    if how == "autocast":  # each weight's copy, a part of its own in the plan
        counted += 2 * sum(inputs * outputs for inputs, outputs, _ in shape.linears.values())
    assert kept[1] - kept[0] == pytest.approx(counted, rel=0.01)


def saved_bytes(model, tokens: int, autocast: bool) -> int:
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    sizes: dict[int, int] = {}
    alive = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    ids = torch.zeros(1, tokens, dtype=torch.long)
    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        model.model(input_ids=ids, use_cache=False)
    return sum(sizes.values())
