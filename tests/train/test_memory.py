import pytest

from tests.train.shapes import QWEN3_8B, settings
from train.memory import GIB, memory


def of(engine: str, gpus: int = 8, tuning: str = "full", **parallel) -> dict[str, float]:
    config = settings(parallel={"engine": engine, **parallel}, tuning={"method": tuning})
    held = memory(QWEN3_8B, config, 32768, gpus)
    return {name: gib * GIB / QWEN3_8B.parameters for name, gib in held.parts.items()}


@pytest.mark.parametrize(
    ("engine", "weights", "gradients", "optimiser"),
    [
        ("zero1", 2, 2, 12 / 8),
        ("zero2", 2, 2 / 8, 12 / 8),
        ("zero3", 2 / 8, 2 / 8, 12 / 8),
        ("fsdp2", 4 / 8, 4 / 8, 8 / 8),
    ],
)
def test_an_engine_spreads_what_it_is_made_to(engine, weights, gradients, optimiser):
    held = of(engine)
    assert [held[name] for name in ("weights", "gradients", "optimiser")] == pytest.approx(
        [weights, gradients, optimiser]
    )


def test_without_sharing_every_parameter_takes_sixteen_bytes():
    for engine in ("ddp", "zero1", "zero3", "fsdp2"):
        held = of(engine, gpus=1)
        assert held["weights"] + held["gradients"] + held["optimiser"] == pytest.approx(16)
    assert of("ddp")["gradients"] == 2 * of("ddp", gpus=1)["gradients"]


def test_offloaded_state_is_in_the_machine():
    config = settings(parallel={"engine": "zero3", "offload": True})
    held = memory(QWEN3_8B, config, 32768, 8)
    assert held.parts["optimiser"] == 0
    assert held.host * GIB == pytest.approx(12 * QWEN3_8B.parameters / 8)


def test_frozen_weights_take_little():
    assert of("ddp", tuning="lora")["weights"] == pytest.approx(2, abs=0.05)
    assert of("ddp", tuning="qlora")["weights"] < 0.8
    assert of("ddp", tuning="qlora")["activations"] == of("zero3")["activations"]


def test_processes_that_share_a_sequence_share_its_activations():
    one, four = (of("zero3", sequence_parallel=n)["activations"] for n in (1, 4))
    assert four == pytest.approx(one / 4)
