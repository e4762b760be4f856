import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.train.shapes import QWEN3_8B, QWEN3_32B, TINY, settings
from train.order import Order
from train.packing import pack
from train.plan import Plan, comparison, plan
from train.plan_table import plan_table
from train.scale_config import HardwareConfig, TuningConfig

PEAK = 989e12
H100S = HardwareConfig("8x H100", gpus=8, memory_gib=79.1, tflops=989, utilisation=0.3)
FULL = TuningConfig()
lengths = st.lists(st.integers(1, 64), min_size=1, max_size=60)


def planned(lengths, config, shape=TINY, **more) -> Plan:
    return plan(lengths, config, shape, **{"trained_tokens": sum(lengths) // 2} | more)


@given(lengths, st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.booleans())
def test_steps_and_rows(sizes, batch, accumulation, processes, packing):
    sft = {
        "epochs": 2,
        "batch_size": batch,
        "accumulation": accumulation,
        "max_length": 64,
        "packing": packing,
    }
    config = settings(sft=sft, student={"precision": "fp32"}, parallel={"processes": processes})
    made = planned(sizes, config)
    rows = len(pack(sizes, 64)) if packing else len(sizes)
    assert made.rows == rows
    assert made.steps == 2 * math.ceil(rows / (batch * accumulation * processes))
    assert made.epochs == 2
    assert 0 <= made.padding < 1
    assert max(sizes) <= made.longest_row <= 64
    assert sum(count for _, _, count in made.histogram) == len(sizes)
    assert all(low < high for low, high, _ in made.histogram)
    assert 0 < made.balance <= 1
    assert made.flops == pytest.approx(2 * TINY.flops(sizes, FULL))


def test_padding_is_counted_in_the_order_of_the_training():
    sizes = [10, 20, 30, 40]
    made = planned(sizes, settings(sft={"batch_size": 2}))
    order = [sizes[index] for index in Order(4, 4, steps=1, seed=0)]
    room = 2 * max(order[:2]) + 2 * max(order[2:])
    assert made.padding == pytest.approx(1 - 100 / room)
    assert made.batch_tokens == 80


def test_sharing_a_sequence_pads_every_row():
    config = settings(
        parallel={"engine": "zero3", "processes": 4, "sequence_parallel": 4}, sft={"max_length": 100}
    )
    made = planned([50, 25], config)
    assert made.padding == pytest.approx(1 - 75 / 200)
    assert made.batch_tokens == 100
    assert made.replicas == 1


def test_the_time_is_what_the_operations_take():
    sizes = [32768] * 16
    config = settings(hardware=dataclasses.replace(H100S, price=2.0))
    made = planned(sizes, config, QWEN3_8B)
    assert made.balance == pytest.approx(1)
    assert made.seconds == pytest.approx(QWEN3_8B.flops(sizes, FULL) / (8 * PEAK * 0.3))
    assert made.all_tokens / made.seconds / 8 == pytest.approx(3987, rel=1e-3), "as planned by hand, at 30 %"
    assert made.gpu_hours == pytest.approx(made.seconds * 8 / 3600)
    assert made.cost == pytest.approx(made.gpu_hours * 2)
    assert made.flops_per_token == pytest.approx(74.4e9, rel=1e-3)
    assert made.hardware_flops / made.flops == pytest.approx(4 / 3)


def test_gpus_wait_for_the_longest():
    sizes = [1000, 9000] * 8
    sharded = planned(sizes, settings(hardware=H100S, parallel={"engine": "zero3"}), QWEN3_8B)
    assert sharded.balance < 0.7
    assert sharded.seconds * sharded.balance == pytest.approx(QWEN3_8B.flops(sizes, FULL) / (8 * PEAK * 0.3))
    often, once = (
        planned(
            sizes * 8,
            settings(hardware=H100S, parallel={"engine": engine}, sft={"accumulation": 8}),
            QWEN3_8B,
        )
        for engine in ("zero3", "ddp")
    )
    assert once.balance > often.balance, "ddp only meets where gradients are added up"
    packed = settings(
        hardware=H100S, parallel={"engine": "zero3"}, sft={"packing": True, "max_length": 10000}
    )
    assert planned(sizes, packed, QWEN3_8B).balance == pytest.approx(1)


def notes(*words, **settings_) -> str:
    return " ".join(planned(*words, **settings_).notes)


def test_nothing_is_guessed_where_the_hardware_is_not_known():
    made = planned([100], settings(), QWEN3_8B)
    assert made.seconds is made.gpu_hours is made.cost is None
    assert made.memory.total > 0
    assert "CPU: how fast it is is not known" in made.notes[0]
    unknown = planned([100], settings(hardware=HardwareConfig("X9", gpus=1)), QWEN3_8B)
    assert unknown.seconds is None
    assert "set hardware.tflops" in unknown.notes[0]
    single = planned([100], settings(hardware=H100S, student={"precision": "fp32"}), QWEN3_8B)
    assert single.seconds is None
    assert "bf16, not for fp32" in single.notes[0]


def test_nothing_is_guessed_of_an_unknown_family():
    made = planned([100], settings(hardware=H100S), None)
    assert made.memory is made.seconds is made.flops is None
    assert "x is of a family whose parameters are not counted" in made.notes[0]
    assert "not known" in shown(made)


def test_what_does_not_fit_is_told_with_a_way_out():
    long = [32768] * 8
    assert "parallel.engine=zero3, or with tuning.method=lora" in notes(
        long, settings(hardware=H100S), QWEN3_8B
    )
    assert "fit" not in notes(long, settings(hardware=H100S, parallel={"engine": "zero3"}), QWEN3_8B)
    h200 = HardwareConfig("H200", gpus=1, memory_gib=139.7, tflops=989)
    one = notes(long, settings(hardware=h200), QWEN3_8B)
    assert "it would with parallel.engine=zero3 parallel.offload=true, or with tuning.method=lora" in one
    assert "fit" not in notes(long, settings(hardware=h200, tuning={"method": "lora"}), QWEN3_8B)
    big = notes(long, settings(hardware=H100S, parallel={"engine": "zero3"}), QWEN3_32B)
    assert "It will not fit" in big
    assert "it would with parallel.offload=true" in big
    small = HardwareConfig("small", gpus=1, memory_gib=4, tflops=1)
    assert "take more or larger GPUs" in notes(long, settings(hardware=small), QWEN3_32B)


def test_every_way_out_is_one():
    long = [32768] * 8
    config = settings(hardware=H100S, student={"gradient_checkpointing": False})
    (sentence,) = (note for note in planned(long, config, QWEN3_8B).notes if "fit" in note)
    ways = sentence.split("it would with ")[1].split(", or lower")[0].split(", or with ")
    assert len(ways) == 3
    for way in ways:
        changed: dict[str, dict] = {}
        for word in way.split():
            key, value = word.split("=")
            block, name = key.split(".")
            typed = {"true": True, "false": False}.get(value, int(value) if value.isdigit() else value)
            changed.setdefault(block, {})[name] = typed
        changed.setdefault("student", {}).setdefault("gradient_checkpointing", False)
        better = planned(long, settings(hardware=H100S, **changed), QWEN3_8B)
        assert not [note for note in better.notes if "fit" in note], way


def test_what_is_matched_between_teachers_is_stated():
    matched = {"selection": {"matched": True}}
    assert "tasks, samples and steps are matched; tokens are not" in notes([10], settings(**matched))
    packed = settings(**matched, sft={"packing": True})
    assert "tasks are matched; tokens and steps are not" in notes([10], packed)
    assert "matched" not in notes([10], settings())


def test_more_processes_than_gpus_are_told():
    config = settings(hardware=H100S, parallel={"processes": 8, "nodes": 2})
    assert "16 processes are planned for 8 GPUs" in notes([10], config)
    assert planned([10], config).gpus == 16


def test_a_run_of_other_processes_than_planned_is_told():
    config = settings(hardware=H100S, sft={"accumulation": 8})
    assert "but this run has 1 process: its steps hold 8 sequences, not 64" in notes([10], config)
    assert "this run has" not in notes([10], dataclasses.replace(config, dry_run=True))
    assert "this run has" not in notes([10], settings())


def shown(made: Plan) -> str:
    console = Console(width=200, record=True, quiet=True)
    with console.capture() as captured:
        console.quiet = False
        console.print(plan_table(made))
    return captured.get()


def test_the_table_has_every_number_with_its_unit():
    config = settings(hardware=dataclasses.replace(H100S, price=2.5), parallel={"engine": "zero3"})
    text = shown(planned([1000, 2000, 32768], config, QWEN3_8B, tasks=2))
    for part in (
        "3 conversations of 2 tasks",
        "35,768, of which 17,884 are trained (50.0%)",
        "the longest 32,768 tokens",
        "1 steps are 1.00 epochs; a step has about 3.0 conversations, 35,768 tokens",
        "8x H100, 8 processes",
        "8,190,735,360, of which 8,190,735,360 are trained",
        "of 79.1 GiB at 32,768 tokens: weights 1.91, gradients 1.91, optimiser 11.44, activations",
        "attention counted as causal",
        "GPU-hours, ",
        "USD (planned at 30% of 989 TFLOP/s",
        "50 % 2,000",
        "0 to  5,000 ######################################## 2",
    ):
        assert part in text


def test_measured_next_to_planned():
    made = planned([32768] * 8, settings(hardware=H100S), QWEN3_8B)
    line = comparison(
        made, tokens=made.all_tokens, seconds=made.seconds * 2, peak_gib=made.memory.total * 0.9
    )
    assert line.count("planned") == 3
    assert "-50%" in line and "+100%" in line and "-10%" in line
    unknown = comparison(planned([100], settings(), TINY), tokens=1000, seconds=2)
    assert unknown == "Measured: 500 tokens/s (no plan); 0.00 h for the whole training (no plan)."
    half = comparison(made, tokens=made.all_tokens / 2, seconds=made.seconds / 2)
    assert half.count("+0%") == 2, "the rest was read by an earlier start"


def test_percentiles_are_of_the_data_set():
    made = planned(list(range(1, 101)), settings())
    assert made.percentiles["50 %"] == round(float(np.percentile(range(1, 101), 50)))
    assert list(made.percentiles) == ["5 %", "25 %", "50 %", "75 %", "95 %", "99 %"]
