"""The student's weights in one piece, whatever the training left: a whole model, or adapters for a base."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import ConfigError, StudentError
from terminal_lego.student.names import hub_name
from terminal_lego.student.probe import TOLERANCE, distance, logits, refuse_apart
from terminal_lego.student.run import Run

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Whole:
    """A model without adapters.

    Attributes:
        model: its parameters in the student's precision.
        taught: logits of the student as the training left it, computed in float32.
        moved: by how much the adapters changed the base's logits, None without adapters.
    """

    model: "PreTrainedModel"
    taught: "Tensor"
    moved: float | None


def load_whole(run: Run, base: str | None = None) -> Whole:
    """Adapters are merged in float32, which needs 4 bytes of memory per parameter; then rounded once.

    Args:
        base: where the base of the adapters is, if not where it was.

    Raises:
        ConfigError: a base is given for a student that needs none.
        StudentError: something cannot be loaded, or the adapters cannot be merged.
    """
    if not run.has_adapters:
        if base is not None:
            raise ConfigError(
                f"--base {base} is not needed: {run.path.name} trained all weights; leave it out."
            )
        model = load(str(run.student), f"{run.student} cannot be loaded")
        return Whole(_rounded(model, run), logits(model), None)
    place = base or run.base
    if not hub_name(place) and not Path(place).is_dir():
        raise StudentError(f"the base {place} is not there; say where it is with --base.")
    under = load(place, f"the base {place} cannot be loaded (--base says where it is)")
    model, taught, moved = _merged(under, run, place)
    return Whole(_rounded(model, run), taught, moved)


def dtype_of(run: Run) -> str:
    """Of the student's weights, by torch's name."""
    return {"fp32": "float32", "bf16": "bfloat16"}[run.config["student"].get("precision", "fp32")]


def load(place: str, what: str) -> "PreTrainedModel":
    """In float32, on the CPU. Raises StudentError, which begins with `what`."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        return AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32).eval()
    except Exception as error:  # a folder can be broken in many ways
        raise StudentError(f"{what}: {_first_line(error)}") from error


def _merged(under: "PreTrainedModel", run: Run, place: str) -> tuple["PreTrainedModel", "Tensor", float]:
    from peft import PeftModel

    untaught = logits(under)
    with warnings.catch_warnings():
        # Of tied weights that adapters cannot share; what comes of them is measured below.
        warnings.filterwarnings("ignore", message=".*tie_word_embeddings", category=UserWarning)
        # PEFT asks for a name that transformers wants called otherwise.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        try:
            adapted: Any = PeftModel.from_pretrained(under, str(run.student)).eval()
        except Exception as error:
            raise StudentError(
                f"the adapters of {run.path.name} do not fit {place} ({_first_line(error)}); "
                "name their own base with --base."
            ) from error
        taught = logits(adapted)
        model = adapted.merge_and_unload()
    what = f"the adapters of {run.path.name} cannot be merged into {place}"
    way_out = (
        "weights that are tied, as input and output embeddings can be, take no adapters: leave them out of "
        "tuning.targets, or serve the adapters beside their base"
    )
    refuse_apart(taught, logits(model), TOLERANCE["float32"], what, way_out)
    return model, taught, distance(taught, untaught)


def _rounded(model: "PreTrainedModel", run: Run) -> "PreTrainedModel":
    """Parameters alone: the buffers that positions are computed from stay in float32."""
    import torch

    dtype = getattr(torch, dtype_of(run))
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    return model


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
