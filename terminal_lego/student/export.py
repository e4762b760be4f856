"""A run's student as one folder that vLLM and transformers load, checked before it takes its place."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import ConfigError, StudentError
from terminal_lego.rendering.template import renders_by_turn
from terminal_lego.rendering.thinking import NO_THOUGHT, OFF
from terminal_lego.rendering.tokenizer import load_tokenizer
from terminal_lego.student.card import NAME, card
from terminal_lego.student.names import TRAINING
from terminal_lego.student.probe import TOLERANCE, logits, refuse_apart
from terminal_lego.student.run import Run
from terminal_lego.student.weights import dtype_of, load, load_whole

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Exported:
    """Attributes:
    folder: with weights, tokenizer, chat template, generation config and card.
    dtype: of the weights, by torch's name.
    away: `probe.distance` from the student as the training left it to the weights in the folder.
    moved: the same from that student to its base, None when no adapters were merged.
    """

    folder: Path
    dtype: str
    away: float
    moved: float | None


def export(run: Run, folder: str | Path, base: str | None = None) -> Exported:
    """Writes beside `folder`, checks what was written and moves it into place.

    Args:
        base: where the base of the adapters is, if not where it was.

    Raises:
        ConfigError: `folder` cannot be written or holds something; a base for a student without adapters.
        StudentError: a part cannot be loaded, or what was written is not what was trained.
    """
    from safetensors import SafetensorError

    folder = Path(folder).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"--out {folder} is not empty: name a new folder.")
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        draft.mkdir(parents=True)
        tokenizer = load_tokenizer(str(run.student))
        taught, moved = _write(run, draft, tokenizer, base)
        away = _check(run, draft, tokenizer, taught)
        draft.replace(folder)
    except (OSError, SafetensorError) as error:  # the second on a full disk
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"--out {folder} cannot be written: {reason}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Exported(folder, dtype_of(run), away, moved)


def _write(
    run: Run, folder: Path, tokenizer: "PreTrainedTokenizerBase", base: str | None
) -> "tuple[Tensor, float | None]":
    """The logits of the student as the training left it, and by how much its adapters moved the base's."""
    whole = load_whole(run, base)
    model = whole.model
    model.generation_config = _generation(run.student)
    for config in (model.config, model.config.get_text_config()):
        config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / NAME).write_text(card(run, merged=True), encoding="utf-8")
    if (noted := run.student / TRAINING).is_file():  # which `python -m eval` asks for
        shutil.copyfile(noted, folder / TRAINING)
    return whole.taught, whole.moved


def _check(run: Run, folder: Path, tokenizer: "PreTrainedTokenizerBase", taught: "Tensor") -> float:
    """Loads all of it again. The distance of the written weights from the trained ones."""
    written = load_tokenizer(str(folder))
    generation = _generation(folder)
    stop = generation.eos_token_id
    same = {
        "the stop token": stop == written.eos_token_id == tokenizer.eos_token_id is not None,
        "the padding token": generation.pad_token_id == written.pad_token_id == tokenizer.pad_token_id,
        "the chat template": written.chat_template == tokenizer.chat_template
        and (folder / "chat_template.jinja").read_text(encoding="utf-8") == tokenizer.chat_template,
        "the tokenizer": written.get_vocab() == tokenizer.get_vocab(),
        "the end of turn that the chat template writes": renders_by_turn(written, _thought(run)),
    }
    if wrong := [name for name, is_same in same.items() if not is_same]:
        raise StudentError(
            f"{' and '.join(wrong)} of {run.path.name} did not come out as trained (stop token {stop} in "
            f"generation_config.json, {tokenizer.eos_token!r} in the tokenizer): train it again, or correct "
            f"the files in {run.student}; nothing was written."
        )
    # Rounding is for merged weights; whole ones were rounded when the training ended.
    tolerance = TOLERANCE[dtype_of(run) if run.has_adapters else "float32"]
    model = load(str(folder), f"the weights written for {run.path.name} cannot be loaded")
    what = f"the weights written for {run.path.name} are not those that were trained"
    return refuse_apart(taught, logits(model), tolerance, what, "see to the disk and export again")


def _thought(run: Run) -> str:
    return "" if run.config["student"].get("thinking", OFF) == OFF else NO_THOUGHT


def _generation(folder: Path) -> Any:
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(folder)
    except OSError as error:
        raise StudentError(
            f"{folder} has no generation_config.json that can be read, so nobody knows where its replies "
            "end: take it from a copy of the run."
        ) from error
