"""The loss of a training, and a trainer that computes it the same however a step is shared out."""

from typing import TYPE_CHECKING, Any

from train.packing import refuse_leaks

if TYPE_CHECKING:
    from torch import Tensor
    from trl import SFTTrainer

NORMALISER = "sum of loss weights over the optimiser step"
"""What the weighted negative log-likelihoods of a step are divided by: over all its conversations, in every
micro-batch and process. So a token counts by its weight alone, not by the length of its conversation."""


def weighted_loss(log_probs: "Tensor", shift_weights: "Tensor", normaliser: float) -> "Tensor":
    """-sum(weight * log p) / normaliser, a scalar.

    Args:
        log_probs: of the token after each position, 0 where none is trained; (rows, positions), or one
            position less, as nothing follows the last.
        shift_weights: (rows, positions), see `train.packing.Collator`.
        normaliser: 0 stands for a step without trained tokens, whose loss is 0.
    """
    total = -(log_probs.float() * shift_weights[:, : log_probs.shape[1]]).sum()
    return total / (normaliser or 1.0)


def make_trainer() -> "type[SFTTrainer]":
    """The class of the trainer, made when it is asked for: the imports take seconds.

    It is TRL's, for batches of `train.packing.Collator`. TRL's head gives the log-probabilities without ever
    holding the logits of all tokens, inside the wrapped model's own forward, where sharded weights are whole;
    this class weights them and divides by NORMALISER. It logs `trained_weight` (that normaliser, mean over
    the logged steps) and `mean_token_accuracy`. Before the first packed micro-batch it makes sure that the
    conversations of a pack are apart, and raises ConfigError if not.
    """
    import torch
    import trl.trainer.utils
    from trl import SFTTrainer

    # TRL projects only the trained positions on a GPU, but all elsewhere, as some accelerators compile anew
    # for each shape. A CPU does not: there this saves a small model a third of its time.
    trl.trainer.utils._use_triton = lambda device: True

    class WeightedTrainer(SFTTrainer):
        loss_is_scaled_for_ga = True  # NORMALISER spans the micro-batches already

        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings)
            self._hits = torch.zeros(2, dtype=torch.float64, device=self.args.device)
            self._packs_are_apart = False

        def _set_signature_columns_if_needed(self) -> None:
            self._signature_columns = ["rows"]

        def _get_num_items_in_batch(self, batch_samples: list, device: Any) -> float:
            """The normaliser; called once per optimiser step, with its micro-batches, in every process."""
            weights = [batch["shift_weights"].sum(dtype=torch.float64) for batch in batch_samples]
            total = torch.stack(weights).sum().to(device)
            normaliser = self.accelerator.reduce(total, "sum").item()
            self._metrics["train"]["trained_weight"].append(normaliser)
            return normaliser

        def compute_loss(
            self, model: Any, inputs: dict, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            weights = inputs.pop("shift_weights")
            if "attention_mask" not in inputs and not self._packs_are_apart:
                refuse_leaks(
                    model,
                    device=weights.device,
                    vocabulary=self.model.config.get_text_config().vocab_size,
                    with_borders="cu_seq_lens_q" in inputs,
                )
                self._packs_are_apart = True
            if self.aux_loss_enabled:
                inputs["output_router_logits"] = True
            outputs = model(**inputs, fused_lm_head=True)
            self._hits += torch.stack([outputs.is_top1.sum(), outputs.label_mask.sum()])
            # Gradients are averaged over the processes, the normaliser is a sum over them.
            loss = weighted_loss(outputs.log_probs, weights, num_items_in_batch) * self.args.world_size
            if self.aux_loss_enabled:  # a mean over one micro-batch, by its nature
                balance = self.router_aux_loss_coef * outputs.aux_loss
                loss = loss + balance / self.current_gradient_accumulation_steps
            return (loss, outputs) if return_outputs else loss

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            hits, tokens = self.accelerator.reduce(self._hits, "sum").tolist()
            if tokens:
                self._metrics["train"]["mean_token_accuracy"].append(hits / tokens)
            self._hits.zero_()
            super().log(logs, start_time)

    return WeightedTrainer
