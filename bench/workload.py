"""What every side of the training comparison trains: the same student, conversations, order and settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.clock import Took
from terminal_lego.formats import read_trajectories
from terminal_lego.rendering.example import Example
from terminal_lego.rendering.masks import MaskConfig
from terminal_lego.rendering.render import render_all
from terminal_lego.trajectory import Trajectory
from train.config import SftConfig, StudentConfig
from train.order import Order
from train.trainer import packs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

QUICKSTART = Path(__file__).parent.parent / "recipes" / "quickstart"
TINY_STUDENT = QUICKSTART / "base"
CONVERSATIONS = QUICKSTART / "trajectories" / "guesser.parquet"
"""Of both quickstart teachers the one whose conversations differ most in length: 114 to 285 tokens."""
HELD_OUT = 32  # conversations


@dataclass(frozen=True)
class Work:
    """One epoch of training.

    Attributes:
        conversations: a multiple of `batch`.
        batch: conversations of a padded step.
        room: tokens of a pack, which is a packed step; about as many as a padded step holds.
        warm_up: steps before the clock starts.
        layers: of a random student 512 wide; 0 for the quickstart's own.
    """

    name: str
    conversations: int
    batch: int
    room: int
    warm_up: int
    learning_rate: float
    layers: int = 0


TINY = Work("tiny", conversations=640, batch=8, room=1536, warm_up=20, learning_rate=3e-3)
SMALL = Work("small", conversations=24, batch=4, room=768, warm_up=2, learning_rate=3e-4, layers=16)


@dataclass(frozen=True)
class Trained:
    """What one side did in one process.

    Attributes:
        tokens, took: after the warm-up; tokens of conversations, no padding.
        all_tokens: of the whole training.
        loss: mean over the steps of the warm-up.
        held_out: loss per trained token on conversations that were not trained on, by the student at the end.
    """

    tokens: int
    took: Took
    all_tokens: int
    loss: float
    held_out: float

    @property
    def per_second(self) -> float:
        return self.tokens / self.took.seconds

    @property
    def per_cpu_second(self) -> float:
        return self.tokens / self.took.cpu


def make_base(work: Work, folder: Path) -> Path:
    """The folder of the student that all sides start from; a random one is made in `folder` once."""
    if not work.layers:
        return TINY_STUDENT
    made = folder / f"{work.name}-{work.layers}"
    if not (made / "model.safetensors").exists():
        import torch
        from transformers import Qwen3Config, Qwen3ForCausalLM

        tokenizer = load_tokenizer()
        torch.manual_seed(0)
        config = Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=512,
            intermediate_size=1536,
            num_hidden_layers=work.layers,
            num_attention_heads=8,
            num_key_value_heads=4,
            head_dim=64,
            tie_word_embeddings=True,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        tokenizer.save_pretrained(made)
        Qwen3ForCausalLM(config).save_pretrained(made)
    return made


def load_tokenizer() -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(TINY_STUDENT)


def trajectories(work: Work) -> tuple[list[Trajectory], list[Trajectory]]:
    """Those that are trained on, and those that are held out."""
    found = iter(read_trajectories(CONVERSATIONS).trajectories)
    return list(islice(found, work.conversations)), list(islice(found, HELD_OUT))


def examples(given: Sequence[Trajectory]) -> list[Example]:
    return [
        example
        for _, example in render_all(given, load_tokenizer(), MaskConfig())
        if isinstance(example, Example)
    ]


def settings(work: Work, packed: bool) -> SftConfig:
    return SftConfig(
        epochs=1,
        batch_size=1 if packed else work.batch,
        learning_rate=work.learning_rate,
        max_length=work.room,
        packing=packed,
        logging_steps=work.warm_up,
        save_steps=10**6,
    )


def student(base: Path) -> StudentConfig:
    return StudentConfig(str(base), max_length=4096, model_limit=4096, precision="fp32")


def sequences(lengths: Sequence[int], config: SftConfig) -> list[list[int]]:
    """The conversations of each sequence, in the order in which they are trained on."""
    given = packs(lengths, config)
    order = Order(len(given), config.batch_size, len(given) // config.batch_size, config.seed)
    return [given[index] for index in order]


def clocked_tokens(lengths: Sequence[int], work: Work, config: SftConfig) -> int:
    """Of the steps after the warm-up."""
    clocked = sequences(lengths, config)[work.warm_up * config.batch_size :]
    return sum(lengths[row] for rows in clocked for row in rows)


def peer_arguments(config: SftConfig) -> dict[str, Any]:
    """`config` in the words of transformers, for peers that are given their rows in our order."""
    return {
        "num_train_epochs": config.epochs,
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.accumulation,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.scheduler,
        "warmup_steps": config.warmup,
        "adam_beta1": config.beta1,
        "adam_beta2": config.beta2,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.clip,
        "seed": config.seed,
        "logging_steps": config.logging_steps,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        "disable_tqdm": True,
    }


def held_out_loss(folder: Path, work: Work) -> float:
    """Per trained token, of the student in `folder`."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    total, count = 0.0, 0
    for example in examples(trajectories(work)[1]):
        tokens, labels = torch.tensor([example.input_ids]), torch.tensor(example.labels)[1:]
        with torch.no_grad():
            scores = model(input_ids=tokens).logits[0, :-1]
        total += torch.nn.functional.cross_entropy(scores, labels.long(), reduction="sum").item()
        count += int((labels >= 0).sum())
    return total / count
