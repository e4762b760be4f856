"""The sizes of a dense decoder: how many parameters it has, and what one conversation costs to train on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from terminal_lego.errors import StudentError
from train.scale_config import TuningConfig

if TYPE_CHECKING:
    from transformers import PretrainedConfig

DENSE = ("llama", "mistral", "qwen2", "qwen3")


@dataclass(frozen=True)
class ModelShape:
    """What a config.json says of a dense decoder with gated feed-forward layers and RMS norms.

    Attributes:
        hidden, layers, heads, kv_heads, head_dim, intermediate, vocabulary: sizes.
        tied: the output head is the embedding table.
        qk_norm: queries and keys are normalised per head (Qwen3).
        qkv_bias, o_bias, mlp_bias: linear layers with a bias.
    """

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    tied: bool
    qk_norm: bool = False
    qkv_bias: bool = False
    o_bias: bool = False
    mlp_bias: bool = False

    @property
    def query(self) -> int:
        return self.heads * self.head_dim

    @property
    def key_value(self) -> int:
        return self.kv_heads * self.head_dim

    @property
    def linears(self) -> dict[str, tuple[int, int, bool]]:
        """(inputs, outputs, has a bias) of each linear layer within a decoder layer."""
        h, q, kv, f = self.hidden, self.query, self.key_value, self.intermediate
        return {
            "q_proj": (h, q, self.qkv_bias),
            "k_proj": (h, kv, self.qkv_bias),
            "v_proj": (h, kv, self.qkv_bias),
            "o_proj": (q, h, self.o_bias),
            "gate_proj": (h, f, self.mlp_bias),
            "up_proj": (h, f, self.mlp_bias),
            "down_proj": (f, h, self.mlp_bias),
        }

    @property
    def layer_parameters(self) -> int:
        linear = sum(inputs * outputs + bias * outputs for inputs, outputs, bias in self.linears.values())
        return linear + 2 * self.hidden + 2 * self.head_dim * self.qk_norm

    @property
    def table_parameters(self) -> int:
        """Of the embedding table, which is also the size of the output head."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        tables = self.table_parameters * (1 if self.tied else 2)
        return tables + self.layers * self.layer_parameters + self.hidden

    def adapter_parameters(self, tuning: TuningConfig) -> int:
        """Of low-rank adapters: rank * (inputs + outputs) for each linear layer that gets one."""
        targets = set(tuning.targets)
        chosen = self.linears if "all-linear" in targets else targets & self.linears.keys()
        sizes = (self.linears[name][:2] for name in chosen)
        return self.layers * sum(tuning.rank * (inputs + outputs) for inputs, outputs in sizes)

    def trained_parameters(self, tuning: TuningConfig) -> int:
        return self.parameters if tuning.method == "full" else self.adapter_parameters(tuning)

    def flops(self, lengths: Iterable[int], tuning: TuningConfig, *, recomputed: bool = False) -> float:
        """Floating-point operations to train once on conversations of `lengths` tokens.

        With N the parameters that are multiplied with each token (all but the embedding look-up, the head
        included) and A = layers * heads * head_dim * n, the attention of a token in n tokens, the causal
        half: forward 2N + 2A per token, backward the same for the inputs of each layer, plus 2A for the
        second factor of attention's products, plus 2N for the weights' gradients. So 6N + 6A; frozen
        weights need no gradient: 4N + 6A, and the adapters' own parameters are counted in full.
        Source of the convention: PaLM (arXiv 2204.02311), appendix B, 6N + 12A without the causal half.

        Args:
            recomputed: count activation checkpointing's second forward too ("hardware FLOPs", 8N + 8A).
        """
        multiplied = self.parameters - (0 if self.tied else self.table_parameters)
        adapters = 0 if tuning.method == "full" else self.adapter_parameters(tuning)
        per_weight = (6 if tuning.method == "full" else 4) + 2 * recomputed
        per_token = per_weight * multiplied + (6 + 2 * recomputed) * adapters
        per_pair = (6 + 2 * recomputed) * self.layers * self.query
        return float(sum(per_token * length + per_pair * length * length for length in map(int, lengths)))


def shape_of(config: "PretrainedConfig") -> ModelShape | None:
    """None for a model that is no dense decoder of a family in `DENSE`: its sizes mean something else."""
    family = config.model_type
    if family not in DENSE:
        return None
    bias = bool(getattr(config, "attention_bias", False))
    return ModelShape(
        hidden=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_dim=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        intermediate=config.intermediate_size,
        vocabulary=config.vocab_size,
        tied=bool(config.tie_word_embeddings),
        qk_norm=family == "qwen3",
        qkv_bias=bias or family == "qwen2",
        o_bias=bias,
        mlp_bias=bool(getattr(config, "mlp_bias", False)),
    )


def read_shape(name_or_path: str) -> ModelShape | None:
    """Of a model folder, or a name on the hub; of no more than its config.json.

    Raises:
        StudentError: there is none that can be read.
    """
    from transformers import AutoConfig

    try:
        return shape_of(AutoConfig.from_pretrained(name_or_path))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StudentError(
            f"student.name_or_path={name_or_path} has no configuration that can be read ({reason}); "
            "give a folder, or a name on a hub that can be reached."
        ) from error
