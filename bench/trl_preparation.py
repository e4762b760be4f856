"""The peer: how TRL's SFTTrainer turns `messages` into ids and labels."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.corpus import Corpus
from bench.tokenizer import load, spread

TEMPLATE = Path(__file__).parent / "chatml_marked.jinja"
"""As ours, with marks around what the model writes."""


def prepare(corpus: Corpus, processes: int, sample: int) -> tuple[float, int, int]:
    """Seconds that SFTTrainer takes to prepare the sample, tokens, trained tokens; nothing is trained."""
    import datasets
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from trl import SFTConfig, SFTTrainer

    spent: list[float] = []

    class Timed(SFTTrainer):
        def _prepare_dataset(self, *arguments: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            prepared = super()._prepare_dataset(*arguments, **named)
            spent.append(time.perf_counter() - begun)
            return prepared

    tokenizer = load(corpus)
    tokenizer.chat_template = TEMPLATE.read_text(encoding="utf-8")
    tiny = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    datasets.disable_caching()
    rows = datasets.Dataset.from_list(
        [{"messages": trajectory.messages()} for trajectory in spread(corpus, sample)]
    )
    with TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            assistant_only_loss=True,
            max_length=None,
            packing=False,
            dataset_num_proc=processes if processes > 1 else None,
            report_to="none",
            use_cpu=True,
            bf16=False,
        )
        trainer = Timed(Qwen2ForCausalLM(tiny), args=config, train_dataset=rows, processing_class=tokenizer)
        prepared = trainer.train_dataset
        trained = sum(label != -100 for labels in prepared["labels"] for label in labels)
        return spent[0], sum(map(len, prepared["input_ids"])), trained
