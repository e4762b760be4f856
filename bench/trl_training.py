"""A peer: stock TRL, from `messages` to a trained student."""

from pathlib import Path
from tempfile import TemporaryDirectory

from bench.clock import make_clock
from bench.trl_preparation import TEMPLATE
from bench.workload import (
    Trained,
    Work,
    examples,
    held_out_loss,
    load_tokenizer,
    peer_arguments,
    sequences,
    settings,
    trajectories,
)


def train(work: Work, base: Path, packed: bool) -> Trained:
    """With its own preparation; packed, its own packs (bfd) of the same conversations."""
    import torch
    from datasets import Dataset, disable_caching
    from transformers import AutoModelForCausalLM, PrinterCallback
    from trl import SFTConfig, SFTTrainer

    disable_caching()
    config = settings(work, packed)
    given = trajectories(work)[0]
    lengths = [len(example.input_ids) for example in examples(given)]
    rows = [{"messages": given[row].messages()} for pack in sequences(lengths, config) for row in pack]
    tokenizer = load_tokenizer()
    tokenizer.chat_template = TEMPLATE.read_text(encoding="utf-8")
    clock = make_clock(work.warm_up)
    with TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="sdpa"),
            args=SFTConfig(
                output_dir=folder,
                assistant_only_loss=True,
                packing=packed,
                packing_strategy="bfd",
                max_length=config.max_length if packed else None,
                activation_checkpointing=False,
                train_sampling_strategy="sequential",
                **peer_arguments(config),
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        trainer.save_model(folder)
        logged = [entry for entry in clock.history if "num_tokens" in entry]
        before, after = (int(logged[index]["num_tokens"]) for index in (0, -1))
        return Trained(
            after - before, clock.took, after, logged[0]["loss"], held_out_loss(Path(folder), work)
        )
