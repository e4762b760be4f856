"""Two models compared by what they think of a few tokens, which needs no text and no generation."""

from typing import TYPE_CHECKING, Any

from terminal_lego.errors import StudentError

if TYPE_CHECKING:
    from torch import Tensor

TOKENS = 48
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2}
"""Largest `distance` between a student as it was trained and as it was written with weights of that type.
In float32 the order of additions alone differs; bfloat16 keeps 8 significant bits of each merged weight."""


def logits(model: Any) -> "Tensor":
    """Of ids spread over the whole vocabulary: (TOKENS, vocabulary), in the precision of the model."""
    import torch

    ids = torch.linspace(0, model.config.get_text_config().vocab_size - 1, TOKENS).long()
    with torch.inference_mode():
        return model(input_ids=ids[None].to(model.device)).logits[0]


def distance(one: "Tensor", other: "Tensor") -> float:
    """Largest difference of two logits, as a share of the largest logit of `one`; nan counts as infinite."""
    far = float((one - other).abs().max() / one.abs().max())
    return far if far == far else float("inf")


def refuse_apart(one: "Tensor", other: "Tensor", tolerance: float, what: str, way_out: str) -> float:
    """Their distance; raises StudentError, which names `what` and `way_out`, when it is above `tolerance`."""
    far = distance(one, other)
    if far > tolerance:
        raise StudentError(
            f"{what}: on {TOKENS} tokens their logits differ by {far:.1e} of the largest one, where "
            f"{tolerance:.0e} is accepted; {way_out}; nothing was written."
        )
    return far
