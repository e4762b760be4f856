"""A peer: LLaMA-Factory, in an environment of its own, on the very rows that we train on."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.clock import Took
from bench.workload import (
    Trained,
    Work,
    clocked_tokens,
    examples,
    held_out_loss,
    load_tokenizer,
    peer_arguments,
    sequences,
    settings,
    trajectories,
)
from terminal_lego.rendering.example import IGNORED, Example
from train.config import SftConfig

RELEASE = "llamafactory==0.9.5"
ROOT = Path(__file__).parent.parent
MULTIPLE = 8
"""To which its collator pads tokens; it leaves the positions as they are, so packs come to it padded."""


def environment(folder: Path) -> Path | str:
    """Its interpreter, installed into `folder` once; or in words why there is none."""
    python, ready = folder / "bin" / "python", folder / "ready"
    if ready.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    # Not a CPU build: with it the torchvision and torchaudio of PyPI cannot be loaded.
    torch = f"torch==={version('torch').partition('+')[0]}"
    for command in (
        [sys.executable, "-m", "venv", folder],
        [python, "-m", "pip", "install", "--quiet", RELEASE, torch],
        [python, "-c", "import llamafactory.train.tuner"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return _reason(done.stderr)
    ready.touch()
    return python


def train(work: Work, base: Path, packed: bool, python: Path) -> Trained | str:
    """A string says why it did not train."""
    config = settings(work, packed)
    given = examples(trajectories(work)[0])
    lengths = [len(example.input_ids) for example in given]
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, base, given, config)
        done = subprocess.run(
            [python, "-m", "bench.llama_factory_run", folder, str(work.warm_up)],
            cwd=ROOT,
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            return _reason(done.stderr)
        told = json.loads((folder / "told.json").read_text())
        return Trained(
            clocked_tokens(lengths, work, config),
            Took(**told["took"]),
            sum(lengths),
            told["history"][0]["loss"],
            held_out_loss(folder / "student", work),
        )


def write(folder: Path, base: Path, given: Sequence[Example], config: SftConfig) -> None:
    """The rows and settings.json into `folder`."""
    from datasets import Dataset

    pad = load_tokenizer().pad_token_id
    order = sequences([len(example.input_ids) for example in given], config)
    rows = [row([given[index] for index in pack], pad, config.packing) for pack in order]
    Dataset.from_list(rows).save_to_disk(folder / "rows")
    arguments = {
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "model_name_or_path": str(base),
        "template": "chatml",
        "dataset": "none",  # must be named, is not read
        "tokenized_path": str(folder / "rows"),
        "output_dir": str(folder / "student"),
        "cutoff_len": config.max_length,
        "packing": config.packing,
        "neat_packing": config.packing,
        "disable_shuffling": True,
        "disable_gradient_checkpointing": True,
        "flash_attn": "sdpa",
        **peer_arguments(config),
    }
    (folder / "settings.json").write_text(json.dumps(arguments, indent=2))


def row(conversations: Sequence[Example], pad: int, packed: bool) -> dict[str, list[int]]:
    """Columns as its own tokenising makes them; in a pack the mask counts the conversations from 1."""
    tokens, labels, mask, positions = [], [], [], []
    for number, example in enumerate(conversations, 1):
        length = len(example.input_ids)
        tokens += example.input_ids
        labels += example.labels
        mask += [number] * length
        positions += range(length)
    if not packed:
        return {"input_ids": tokens, "attention_mask": mask, "labels": labels}
    missing = -len(tokens) % MULTIPLE
    return {
        "input_ids": tokens + [pad] * missing,
        "attention_mask": mask + [0] * missing,
        "labels": labels + [IGNORED] * missing,
        "position_ids": positions + [0] * missing,
    }


def _reason(errors: str) -> str:
    lines: list[Any] = [line.strip() for line in errors.splitlines() if line.strip()]
    named = [line for line in lines if "rror" in line]
    return (named or lines or ["it ended without a word"])[-1]
