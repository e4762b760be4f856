"""The base student: a tiny Qwen3 model that has been drilled to copy, and nothing else.

The drill stands in for pretraining: real base models can copy a name from their context, a fresh
136,000-parameter model cannot, and without that no amount of teaching in minutes makes it read a
screen. It sees random name pieces, then random spans of them again, and learns to continue a span.
It never sees a task, a command or a word.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.quickstart.tokenizer import build_tokenizer, name_tokens
from terminal_lego.errors import StudentError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

LENGTHS = (32, 64, 128, 256)
BATCH = 64
LEARNING_RATE = 3e-3
PASS_MARK = 0.93
MOST_STEPS = 3000
CONTEXT = 32768


def new_model(tokenizer: "PreTrainedTokenizerFast", seed: int) -> "PreTrainedModel":
    """A randomly initialised student of about 136,000 parameters."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        intermediate_size=192,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=True,
        initializer_range=0.04,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen3ForCausalLM(config)


def drill(model: "PreTrainedModel", pieces: list[int], seed: int) -> Iterator[tuple[int, int, float]]:
    """Teaches copying; yields (step, length, accuracy) every ten steps until every length is passed.

    The softmax runs over the name pieces alone: over the whole vocabulary the rows of tokens that
    never occur are pushed away before copying appears, and it does not appear.

    Raises:
        StudentError: a length was not passed within `MOST_STEPS` steps.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    vocabulary = torch.tensor(pieces)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    step = 0
    for length in LENGTHS:
        recent: list[float] = []
        while len(recent) < 10 or sum(recent[-10:]) < 10 * PASS_MARK:
            if step == MOST_STEPS:
                raise StudentError(
                    f"copy drill with seed {seed}: accuracy {sum(recent[-10:]) / 10:.2f} at length {length} "
                    f"after {step} steps is below {PASS_MARK}; try another seed"
                )
            local, trained = spans(length, len(pieces), generator)
            hidden = model.model(input_ids=vocabulary[local]).last_hidden_state[:, :-1]
            logits = hidden[trained[:, 1:]] @ model.get_input_embeddings().weight[vocabulary].T
            target = local[:, 1:][trained[:, 1:]]
            loss = torch.nn.functional.cross_entropy(logits, target)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            recent.append((logits.argmax(-1) == target).float().mean().item())
            step += 1
            if step % 10 == 0:
                yield step, length, recent[-1]


def spans(length: int, pieces: int, generator: "torch.Generator") -> tuple["torch.Tensor", "torch.Tensor"]:
    """A batch of rows: up to 64 distinct pieces in random order, then spans of them.

    Returns:
        tokens: (BATCH, length) indices below `pieces`.
        predictable: (BATCH, length) True where a token continues a span already begun.
    """
    import torch

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (1,), generator=generator))

    predictable = torch.zeros(BATCH, length, dtype=torch.bool)
    # Distinct pieces, so that what follows one of them is never in doubt.
    half = min(length // 2, 64)
    tokens = torch.zeros(BATCH, length, dtype=torch.long)
    tokens[:, :half] = torch.rand(BATCH, pieces, generator=generator).argsort(-1)[:, :half]
    for row in range(BATCH):
        at = half
        while at < length:
            size = min(draw(3, 9), length - at)
            start = draw(0, half - size + 1)
            tokens[row, at : at + size] = tokens[row, start : start + size]
            predictable[row, at + 1 : at + size] = True
            at += size
    return tokens, predictable


def copy_accuracy(model: "PreTrainedModel", pieces: list[int], length: int = 128, seed: int = 12345) -> float:
    """Share of predictable tokens the model continues rightly, among the name pieces."""
    import torch

    vocabulary = torch.tensor(pieces)
    local, trained = spans(length, len(pieces), torch.Generator().manual_seed(seed))
    with torch.no_grad():
        logits = model(input_ids=vocabulary[local]).logits[:, :-1, vocabulary]
    right = logits.argmax(-1) == local[:, 1:]
    return right[trained[:, 1:]].float().mean().item()


def build(folder: Path, seed: int = 0) -> float:
    """Makes tokenizer and drilled model, checks that it copies, writes both; returns its accuracy."""
    import torch

    torch.set_num_threads(1)  # sums in one order, so that a seed gives the same weights again
    tokenizer = build_tokenizer()
    pieces = name_tokens(tokenizer)
    model = new_model(tokenizer, seed)
    for step, length, accuracy in drill(model, pieces, seed):
        print(f"copy drill: step {step}, length {length}, accuracy {accuracy:.2f}", flush=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return copy_accuracy(model, pieces)
