"""A tiny student trained by however many processes run this script: `together.py FOLDER SETTINGS`.

SETTINGS is JSON: {"base": folder, "sft": {...}, "tuning": {...}, "parallel": {...}}. The student comes to
FOLDER/student, what was logged to FOLDER/logged.jsonl; the exit status is that of `python -m train`.
SETTINGS may say more:

    hold: a step. When it is logged, FOLDER/held appears and the main process waits for FOLDER/go.
"""

import json
import os
import sys
from array import array
from pathlib import Path

import torch
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

from terminal_lego.errors import TerminalLegoError
from terminal_lego.json_files import append_line
from terminal_lego.rendering.example import Example
from train import processes
from train.config import SftConfig, StudentConfig
from train.interruption import Stopped
from train.scale_config import ParallelConfig, TuningConfig
from train.sft import sft

BASE = Path(__file__).parents[2] / "recipes" / "quickstart" / "base"
LENGTHS = (40, 9, 25, 13, 60, 7, 18, 33, 52, 21)
LONGEST = 64
STEPS = 6  # two epochs of ten, four a step: each ends with a step that is half full
torch.set_num_threads(1)


def examples() -> list[Example]:
    """Random tokens, half of them trained, with weights between 0 and 2."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for number, length in enumerate(LENGTHS):
        tokens = torch.randint(5, 200, (length,), generator=generator).tolist()
        weights = (torch.rand(length, generator=generator) - 0.5).clamp(min=0) * 4
        made.append(Example(str(number), array("i", tokens), array("f", weights.tolist()), ()))
    return made


def write_base(folder: Path) -> Path:
    """A random student of two layers, 64 wide, with the quickstart's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        tie_word_embeddings=True,
        initializer_range=0.1,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def settings(**changed: object) -> SftConfig:
    given = {
        "max_steps": STEPS,
        "learning_rate": 3e-4,
        "scheduler": "linear",
        "save_steps": 2,
        "max_length": LONGEST,
    }
    return SftConfig(**given | changed)


def main(folder: Path, asked: dict) -> None:
    (folder / f"pid-{processes.rank()}").write_text(str(os.getpid()))
    student = StudentConfig(asked["base"], **{"precision": "fp32"} | asked.get("student", {}))

    def on_log(step: int, metrics: dict[str, float]) -> None:
        append_line(folder / "logged.jsonl", {"step": step, **metrics})
        if step == asked.get("hold"):
            (folder / "held").touch()
            while not (folder / "go").exists():
                os.sched_yield()

    sft(
        examples(),
        student,
        AutoTokenizer.from_pretrained(asked["base"]),
        settings(**asked.get("sft", {})),
        folder / "student",
        tuning=TuningConfig(**asked.get("tuning", {})),
        parallel=ParallelConfig(**asked.get("parallel", {})),
        on_log=on_log,
    )


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), json.loads(sys.argv[2]))
    except TerminalLegoError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except Stopped as stopped:
        raise SystemExit(stopped.status) from None
    finally:
        processes.leave()
