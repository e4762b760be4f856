"""One training of two processes, killed twenty times, against the same one left alone: equal to the last bit.

Each stage of a training that `tests.train.killed` knows (before the first step, in a step, while a checkpoint
is written, before it is marked as complete) meets each end: SIGKILL of the main process, SIGKILL of the
other, SIGTERM, SIGUSR2, SIGINT to one of them. In which order, at which step and at which of the stage's
calls of a function is drawn from a seed.
"""

import json
import random
import signal
from itertools import product

import pytest
import torch

from tests.train import together
from tests.train.forked import Starter, Training
from train.interruption import INTERRUPTED, REQUEUE

STAGES = ("start", "step", "save", "mark")
ENDS = (
    (signal.SIGKILL, (0,)),
    (signal.SIGKILL, (1,)),
    (signal.SIGTERM, (0, 1)),
    (signal.SIGUSR2, (0, 1)),
    (signal.SIGINT, (0, 1)),
)
STATUS = {signal.SIGTERM: REQUEUE, signal.SIGUSR2: REQUEUE, signal.SIGINT: INTERRUPTED}
APART = 4  # steps, so that the next kill comes after the step at whose end a signal was acted upon
SFT = {"batch_size": 2, "save_steps": 2, "max_steps": APART * len(STAGES) * len(ENDS) + 2}


def kills(chance: random.Random, calls: list[dict[str, int]]) -> list[dict[str, int | str]]:
    """All twenty, in the order of their steps."""
    drawn = []
    for number, (stage, (end, ranks)) in enumerate(chance.sample([*product(STAGES, ENDS)], k=20)):
        rank = chance.choice(ranks)
        step = APART * number + (2 if stage in ("save", "mark") else chance.randrange(1, APART))
        call = chance.randint(1, calls[rank][stage])
        drawn.append({"stage": stage, "number": end, "rank": rank, "step": step, "call": call})
    return drawn


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])
def test_twenty_kills_leave_no_trace(seed, tmp_path):
    base = together.write_base(tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    with_dropout = config | {"attention_dropout": 0.1}  # the random generators go on where they were, too
    (base / "config.json").write_text(json.dumps(with_dropout))
    torn = 0
    with Starter(tmp_path) as starter:
        straight, killed = (
            Training(tmp_path / name, starter, base=str(base), sft=SFT) for name in ("straight", "killed")
        )
        assert straight.start() == 0
        for kill in kills(random.Random(seed), [straight.calls(0), straight.calls(1)]):
            status = killed.start(**{"kill at": kill})
            if kill["number"] in STATUS:
                assert status == STATUS[kill["number"]], kill
                assert all(killed.checkpoints.values())
            else:
                assert status in (1, 128 + signal.SIGKILL), kill
                torn += not all(killed.checkpoints.values())
        assert killed.start() == 0
    assert torn >= 2
    assert list(straight.curve) == list(range(1, SFT["max_steps"] + 1))
    assert killed.curve == straight.curve
    assert_equal(killed, straight)


def assert_equal(one: Training, other: Training) -> None:
    ours, theirs = one.weights, other.weights
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
