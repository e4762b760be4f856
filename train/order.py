"""Which example is trained on when: a function of seed, number of examples and step, and of nothing else."""

import math
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """The examples of a whole training, one index after the other, `per_step` of them for each step.

    Every epoch is a new permutation and begins with a new step; the last step of an epoch is filled up with
    the index `examples`, which stands for an example without a trained token. So each step has the same
    number of examples however they are shared out to processes and micro-batches, none is seen twice in an
    epoch, and a training that starts at step k needs no look at those before.

    Attributes:
        examples: how many there are.
        per_step: examples of one optimiser step, over all processes and micro-batches.
        steps: optimiser steps of the whole training.
        start: steps that an earlier start has done. `len` counts them, iteration leaves them out.
    """

    examples: int
    per_step: int
    steps: int
    seed: int
    start: int = 0

    def __len__(self) -> int:
        return self.steps * self.per_step

    def __iter__(self) -> Iterator[int]:
        per_epoch = steps_per_epoch(self.examples, self.per_step)
        for step in range(self.start, self.steps):
            epoch, within = divmod(step, per_epoch)
            if within == 0 or step == self.start:
                indices = self._epoch(epoch)
            yield from indices[within * self.per_step : (within + 1) * self.per_step]

    def _epoch(self, number: int) -> list[int]:
        import numpy as np

        order = np.random.default_rng((self.seed, number)).permutation(self.examples).tolist()
        return order + [self.examples] * (-self.examples % self.per_step)


def steps_per_epoch(examples: int, per_step: int) -> int:
    """Steps in which every example is seen once; the last one may hold fewer."""
    return math.ceil(examples / per_step)
