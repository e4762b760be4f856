"""Random bases with the quickstart's tokenizer."""

from pathlib import Path

import torch
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

from train import compose

TINY = compose.HOME / "recipes" / "quickstart" / "base"


def write_base(
    folder: Path, *, tied: bool = True, heads: int = 2, dtype: torch.dtype = torch.float32
) -> Path:
    """Two layers, 32 wide."""
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=16,
        tie_word_embeddings=tied,
        initializer_range=0.1,
    )
    Qwen3ForCausalLM(config).to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
