"""What one GPU must hold at the longest batch, part by part."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product

from train.config import TrainConfig, flat
from train.model_shape import ModelShape
from train.scale_config import TUNING, ParallelConfig

GIB = 2**30
HEADROOM = 0.9
"""Share of a GPU that the counted parts may fill; the rest is for the CUDA context, communication buffers
and what the allocator cannot use (our choice)."""
LOGITS_TILE = (4096, 32768)
"""Tokens and words of the vocabulary whose logits exist at one time in TRL's fused output layer."""
NF4_BYTES = 4.127 / 8
"""Of a weight in 4 bits with doubly quantised constants (QLoRA, arXiv 2305.14314, section 3)."""
_FULLY_SHARDED = ("zero3", "fsdp2")


@dataclass(frozen=True)
class Memory:
    """GiB on one GPU by part, and in the machine's memory for each GPU."""

    parts: dict[str, float]
    host: float = 0.0

    @property
    def total(self) -> float:
        return sum(self.parts.values())

    def fits(self, gpu_gib: float) -> bool:
        return self.total <= HEADROOM * gpu_gib


def memory(shape: ModelShape, config: TrainConfig, tokens: int, gpus: int) -> Memory:
    """Args:
    tokens: of the largest micro-batch, padding included.
    gpus: that train together, over which an engine may spread what it shares out.

    Trained weights take 16 bytes per parameter whatever the engine: in bf16 with DeepSpeed 2 for the weight,
    2 for its gradient, 12 for Adam's single-precision copy and two moments (ZeRO, arXiv 1910.02054,
    section 3.1); in single precision 4 + 4 + 8. ZeRO-1 spreads the optimiser over the GPUs, ZeRO-2 the
    gradients too, ZeRO-3 and FSDP2 the weights too (same paper, section 5). Frozen weights take 2, or 4-bit
    ones half a byte.
    """
    parallel, tuning = config.parallel, config.tuning
    trained = shape.trained_parameters(tuning)
    frozen = 0.0 if tuning.method == "full" else _frozen_bytes(shape, config)
    is_deepspeed = parallel.engine.startswith("zero")
    width, states = (2, 12) if is_deepspeed and config.student.precision == "bf16" else (4, 8)
    by_weight = gpus if parallel.engine in _FULLY_SHARDED else 1
    by_gradient = gpus if parallel.engine in ("zero2", *_FULLY_SHARDED) else 1
    by_state = 1 if parallel.engine == "ddp" else gpus
    copies = 2 if parallel.engine == "ddp" and gpus > 1 else 1  # DDP's buckets hold each gradient again
    optimiser = states * trained / by_state
    split = tokens / parallel.sequence_parallel
    parts = {
        "weights": (frozen + width * trained) / by_weight,
        "gradients": copies * width * trained / by_gradient,
        "optimiser": 0.0 if parallel.offload else optimiser,
        "activations": activations(shape, config, split),
        "output layer": _output_layer(shape, config, split),
    }
    if _autocasts(config):  # which keeps what it made of each weight until the forward pass ends
        parts["half-precision copies"] = 2.0 * trained
    if by_weight > 1:  # the layer at work and the one fetched ahead; the largest is a table or a layer
        parts["gathered"] = 2.0 * 2 * max(shape.layer_parameters, shape.table_parameters)
    gib = {name: size / GIB for name, size in parts.items()}
    return Memory(gib, optimiser / GIB if parallel.offload else 0.0)


def _output_layer(shape: ModelShape, config: TrainConfig, tokens: float) -> float:
    """A tile of logits, and the gradients of what comes in and of the weights, in single precision."""
    width = 2 if config.student.precision == "bf16" else 4
    tile = width * min(tokens, LOGITS_TILE[0]) * min(shape.vocabulary, LOGITS_TILE[1])
    of_weights = (4 + width) * shape.table_parameters if config.tuning.method == "full" else 0
    return tile + 4 * tokens * shape.hidden + of_weights


def _frozen_bytes(shape: ModelShape, config: TrainConfig) -> float:
    if config.tuning.method == "lora":
        return (2.0 if config.student.precision == "bf16" else 4.0) * shape.parameters
    linear = shape.layers * sum(inputs * outputs for inputs, outputs, _ in shape.linears.values())
    return NF4_BYTES * linear + 2.0 * (shape.parameters - linear)


def activations(shape: ModelShape, config: TrainConfig, tokens: float) -> float:
    """Bytes that the backward pass needs of the forward pass.

    Counted as Korthikanti et al. do (arXiv 2205.05198, section 4.1), for the layers of `transformers`
    instead of GPT's, and for attention that keeps no scores. With checkpointing each layer keeps its
    input, and one layer at a time is computed again.
    """
    width = 2 if config.student.precision == "bf16" else 4
    layer = layer_activations(shape, width, autocast=_autocasts(config))
    if not config.student.gradient_checkpointing:
        return tokens * shape.layers * layer
    between = 4 if _autocasts(config) else width
    return tokens * (shape.layers * between * shape.hidden + layer)


def layer_activations(shape: ModelShape, width: int, *, autocast: bool = False) -> int:
    """Bytes per token that one layer saves; `width` of a number.

    A norm saves its input in single precision, what it made of it, and the product with its weight, which
    the next linear layers read (under autocast each its own copy); of each head's norms the product is
    rotated first. Attention saves its queries, keys, values, result, and one single-precision number per
    head; the feed-forward part its gate before and after the non-linearity, its other factor, their product.
    """
    q, kv = shape.query, shape.key_value
    normed, reads = (4, 5) if autocast else (width, 2)
    norms = (2 * (4 + normed) + reads * width) * shape.hidden + 2 * 4
    head_norms = shape.qk_norm * ((4 + width) * (q + kv) + 4 * (shape.heads + shape.kv_heads))
    attention = width * (2 * q + 2 * kv) + 4 * shape.heads
    return norms + head_norms + attention + 4 * width * shape.intermediate


def _autocasts(config: TrainConfig) -> bool:
    """Whether the layers compute in half precision with weights that are kept in single precision."""
    whole = config.tuning.method == "full" and config.parallel.engine == "ddp"
    return whole and config.student.precision == "bf16"


def ways_out(shape: ModelShape, config: TrainConfig, tokens: int, gpus: int, gpu_gib: float) -> list[str]:
    """Settings with which it would fit: for all weights as for fewer, the mildest. Counted, not guessed."""
    methods = TUNING[TUNING.index(config.tuning.method) :]
    found = (_first_fitting(shape, config, method, tokens, gpus, gpu_gib) for method in methods)
    return [words for words in found if words]


def _first_fitting(
    shape: ModelShape, config: TrainConfig, method: str, tokens: int, gpus: int, gpu_gib: float
) -> str | None:
    now = config.parallel
    student = replace(config.student, gradient_checkpointing=True)
    tuning = replace(config.tuning, method=method)
    tried = [now] if method == "qlora" else [now, *_shared_out(now, gpus)]
    for parallel in tried:
        changed = replace(config, student=student, tuning=tuning, parallel=parallel)
        if not memory(shape, changed, tokens, gpus).fits(gpu_gib):
            continue
        before, after = flat(asdict(config)), flat(asdict(changed))
        return " ".join(f"{key}={str(after[key]).lower()}" for key in after if before[key] != after[key])
    return None


def _shared_out(parallel: ParallelConfig, gpus: int) -> Iterator[ParallelConfig]:
    ranks = [count for count in (1, 2, 4, 8) if gpus % count == 0]
    for offload, count in product((False, True), ranks):
        yield replace(parallel, engine="zero3", offload=offload, sequence_parallel=count)
