"""One optimiser step of a tiny student on made-up conversations, and what the plain formula says of it.

As a script, under torchrun: `one_step.py FILE` saves what the first process got.
"""

import sys
import tempfile
from array import array
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    AutoTokenizer,
    PreTrainedModel,
    PrinterCallback,
    ProgressCallback,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from trl import SFTConfig

from terminal_lego.rendering.example import Example
from train.loss import make_trainer
from train.packing import Collator, dataset

BASE = Path(__file__).parents[2] / "recipes" / "quickstart" / "base"
VOCABULARY = 64
PAD = 0
torch.set_num_threads(1)


def examples(*lengths: int, seed: int = 0) -> list[Example]:
    """Random tokens; a tenth to nine tenths of them trained, with weights between 0 and 2."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for number, length in enumerate(lengths):
        tokens = torch.randint(1, VOCABULARY, (length,), generator=generator)
        trained = torch.rand(length, generator=generator) < 0.1 + 0.8 * number / max(len(lengths) - 1, 1)
        weights = trained * 2 * torch.rand(length, generator=generator)
        made.append(Example(str(number), array("i", tokens.tolist()), array("f", weights.tolist()), ()))
    return made


EIGHT = examples(40, 3, 25, 11, 60, 7, 18, 33)


def student(
    *, tied: bool = True, attention: str = "sdpa", dtype: torch.dtype = torch.float32
) -> PreTrainedModel:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        tie_word_embeddings=tied,
        attn_implementation=attention,
        initializer_range=0.3,  # large enough for a token that should not be read to matter
    )
    return Qwen3ForCausalLM(config).to(dtype)


def plain(model: PreTrainedModel, rows: list[Example]) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradients by the definition: each conversation alone, all logits, one division at the end."""
    total, weight = torch.zeros(()), 0.0
    for row in rows:
        tokens, weights = torch.tensor([row.input_ids]), torch.tensor(row.weights)[1:]
        scores = model(input_ids=tokens).logits[0, :-1].float().log_softmax(-1)
        total = total - (scores.gather(1, tokens[0, 1:, None])[:, 0] * weights).sum()
        weight += float(weights.double().sum())
    model.zero_grad()
    (total / weight).backward()
    gradients = {name: each.grad.clone() for name, each in model.named_parameters() if each.requires_grad}
    return float(total.detach() / weight), gradients


@dataclass
class Step:
    loss: float
    gradients: dict[str, Tensor]
    logged: dict[str, float]


def one_step(
    rows: list[Example],
    packs: list[list[int]] | None = None,
    *,
    model: PreTrainedModel | None = None,
    batch: int = 8,
    accumulation: int = 1,
    **collation,
) -> Step:
    """Gradient descent with rate 1 and no clipping: the weights change by the gradient."""
    model = model or student()
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    items = dataset(packs or [[row] for row in range(len(rows))])
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer()(
            model=model,
            args=SFTConfig(
                output_dir=folder,
                max_steps=1,
                per_device_train_batch_size=batch,
                gradient_accumulation_steps=accumulation,
                optim="sgd",
                learning_rate=1.0,
                lr_scheduler_type="constant",
                max_grad_norm=0,
                logging_steps=1,
                logging_nan_inf_filter=False,
                save_strategy="no",
                bf16=False,
                use_cpu=True,
                activation_checkpointing=False,
                max_length=None,
                dataset_kwargs={"skip_prepare_dataset": True},
                dataloader_pin_memory=False,
                report_to="none",
            ),
            data_collator=Collator(rows, PAD, **{"packed": False} | collation),
            train_dataset=items.select(range(len(items) - 1)),
            processing_class=AutoTokenizer.from_pretrained(BASE),
        )
        for printer in (ProgressCallback, PrinterCallback):
            trainer.remove_callback(printer)
        trainer.train()
    logged = trainer.state.log_history[0]
    after = dict(model.named_parameters())
    changed = {name: before[name] - after[name].detach() for name in before if after[name].requires_grad}
    return Step(logged["loss"], changed, logged)


if __name__ == "__main__":
    packed = one_step(EIGHT, [[0, 1], [2, 3], [4, 5], [6, 7]], batch=1, accumulation=2, packed=True)
    padded = one_step(EIGHT, batch=2, accumulation=2)
    lonely = one_step(EIGHT, [[0], []], batch=1, packed=True)
    if torch.distributed.get_rank() == 0:
        taken = [asdict(step) for step in (padded, packed, lonely)]
        torch.save([torch.distributed.get_world_size(), *taken], sys.argv[1])
