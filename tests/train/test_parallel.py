"""Two real processes on CPUs against one, engine by engine; each training is started once for all tests."""

import json
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from terminal_lego.errors import ConfigError
from terminal_lego.json_files import read_lines
from tests.train import together
from train import launch, processes
from train.config import SftConfig
from train.interruption import REQUEUE
from train.parallel import check_engine, deepspeed_settings, engine_asked, refuse_impossible
from train.scale_config import ParallelConfig

ROOT = Path(__file__).parents[2]
LORA = {"method": "lora", "rank": 4, "alpha": 8}
ZERO3 = {"engine": "zero3"}
TWICE = {"batch_size": 2}

# name: (processes, settings, what must have run, to be compared with)
TRAININGS = {
    "one": (1, {"sft": {"batch_size": 4}}, "ddp over 1 process", None),
    "ddp": (2, {"sft": TWICE}, "ddp over 2 processes", "one"),
    "zero1": (2, {"sft": TWICE, "parallel": {"engine": "zero1"}}, "zero1 over 2 processes", "one"),
    "zero2": (
        2,
        {"sft": {"accumulation": 2}, "parallel": {"engine": "zero2"}},
        "zero2 over 2 processes",
        "one",
    ),
    "zero3": (2, {"sft": TWICE, "parallel": ZERO3}, "zero3 over 2 processes", "one"),
    "zero3, offload": (
        2,
        {"sft": TWICE, "parallel": {"engine": "zero3", "offload": True}},
        "zero3 over 2 processes, optimiser offloaded",
        "one",
    ),
    "zero3, Ulysses": (
        2,
        {"sft": {"accumulation": 4}, "parallel": {"engine": "zero3", "sequence_parallel": 2}},
        "zero3 over 2 processes, sequences shared by 2",
        "one",
    ),
    "lora": (1, {"sft": {"batch_size": 4}, "tuning": LORA}, "ddp over 1 process", None),
    "lora, zero3": (2, {"sft": TWICE, "tuning": LORA, "parallel": ZERO3}, "zero3 over 2 processes", "lora"),
    "packed": (
        1,
        {"sft": {"batch_size": 2, "packing": True, "max_length": 128}},
        "ddp over 1 process",
        None,
    ),
    "packed, zero3": (
        2,
        {"sft": {"packing": True, "max_length": 128}, "parallel": ZERO3},
        "zero3 over 2 processes",
        "packed",
    ),
}


class Training:
    """A folder in which starts of one training leave what they have."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder, self.base = folder, base
        folder.mkdir()

    def command(self, asked: dict) -> list[str]:
        told = json.dumps(asked | {"base": str(self.base)})
        return [sys.executable, "-m", "tests.train.together", str(self.folder), told]

    def start(self, count: int, asked: dict) -> int:
        return launch.run(self.command(asked), count, self.folder / "logs")

    @property
    def outcome(self) -> dict:
        return json.loads((self.folder / "student" / "outcome.json").read_text())

    @property
    def logged(self) -> dict[int, dict[str, float]]:
        """By step; of a step that was done twice, the later one."""
        by_step: dict[int, dict[str, float]] = {}
        for record in read_lines(self.folder / "logged.jsonl"):
            by_step.setdefault(record["step"], {}).update(record)
        return by_step

    @property
    def probe(self) -> dict[str, float]:
        """The loss on fixed conversations at the last step."""
        return {key: value for key, value in self.logged[together.STEPS].items() if key.startswith("probe/")}

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        (file,) = (self.folder / "student").glob("*.safetensors")
        return load_file(file)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return together.write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module", autouse=True)
def surroundings():
    """From the project's root."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory, base):
    """The training of that name, done once."""

    @cache
    def done(name: str) -> Training:
        training = Training(tmp_path_factory.mktemp("trained") / "run", base)
        count, asked, *_ = TRAININGS[name]
        assert training.start(count, asked) == 0
        return training

    return done


def assert_same(one: Training, other: Training) -> None:
    """Losses to 1e-5, weights to 1e-6."""
    assert list(range(1, together.STEPS + 1)) == sorted(one.logged) == sorted(other.logged)
    for step, metrics in one.logged.items():
        assert metrics["train/loss"] == pytest.approx(other.logged[step]["train/loss"], abs=1e-5)
        assert metrics["train/grad_norm"] == pytest.approx(other.logged[step]["train/grad_norm"], rel=1e-4)
    for key in one.probe.keys() & other.probe.keys():
        assert one.probe[key] == pytest.approx(other.probe[key], abs=1e-5)
    ours, theirs = one.weights, other.weights
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, (*_, other) in TRAININGS.items() if other])
def test_processes_together_do_what_one_does(name, trained):
    *_, engine, other = TRAININGS[name]
    assert trained(name).outcome["engine"] == engine
    assert trained(other).outcome["engine"] == TRAININGS[other][2]
    assert_same(trained(name), trained(other))
    assert bool(trained(name).probe) == ("shared by" not in engine), "pieces of sequences are not probed"
    first, *_, last = trained(name).logged.values()
    assert last["train/loss"] < first["train/loss"] - 0.1


@pytest.mark.slow
def test_under_torchrun_it_is_the_same(trained, base, tmp_path):
    training = Training(tmp_path / "run", base)
    python, *module = training.command(TRAININGS["ddp"][1])
    torchrun = [
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--master_port",
        str(processes.free_port()),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([python, *torchrun, *module], check=True, env=environment, capture_output=True)
    assert training.outcome["engine"] == "ddp over 2 processes"
    assert_same(training, trained("one"))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["zero2", "zero3, Ulysses"])
def test_a_signal_to_one_process_stops_all_and_they_go_on(engine, trained, base, tmp_path):
    training = Training(tmp_path / "run", base)
    count, asked, *_ = TRAININGS[engine]
    stop_one(training, count, asked, signal.SIGUSR2)
    assert training.start(count, asked) == 0
    assert_same(training, trained("one"))


@pytest.mark.slow
def test_a_training_goes_on_in_another_number_of_processes(trained, base, tmp_path):
    training = Training(tmp_path / "run", base)
    stop_one(training, 2, {"sft": {"accumulation": 2}}, signal.SIGTERM)
    assert training.start(1, {"sft": {"batch_size": 2, "accumulation": 2}}) == 0
    assert training.outcome["engine"] == "ddp over 1 process"
    assert_same(training, trained("one"))


def stop_one(training: Training, count: int, asked: dict, number: int) -> None:
    """Starts it, sends a signal to process 1 after two steps, sees all of them save and leave."""
    asked = asked | {"hold": 2}
    code = "import sys; from pathlib import Path; from train import launch; " + (
        f"sys.exit(launch.run({training.command(asked)!r}, {count}, Path({str(training.folder)!r}) / 'logs'))"
    )
    starting = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    while not (training.folder / "held").exists():
        assert starting.poll() is None
        os.sched_yield()
    os.kill(int((training.folder / "pid-1").read_text()), number)
    (training.folder / "go").touch()
    starting.communicate()
    assert starting.returncode == REQUEUE
    assert 2 <= max(training.logged) < together.STEPS
    assert not (training.folder / "student" / "outcome.json").exists()


def test_an_engine_that_fell_back_ends_the_run(monkeypatch):
    trainer = SimpleNamespace(model_wrapped=torch.nn.Linear(1, 1), is_deepspeed_enabled=False)
    assert check_engine(trainer, ParallelConfig()) == "ddp over 1 process"
    for asked in ("zero3", "fsdp2"):
        with pytest.raises(ConfigError, match=f"{asked} over 1 process was asked for .* runs ddp over 1"):
            check_engine(trainer, ParallelConfig(engine=asked))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"ddp over 2 processes was asked for .* runs ddp over 1 process"):
        check_engine(trainer, ParallelConfig())


def test_deepspeed_is_told_what_was_asked():
    for stage in (1, 2, 3):
        told = deepspeed_settings(ParallelConfig(engine=f"zero{stage}"), on_gpu=True)
        assert told["zero_optimization"]["stage"] == stage
        assert "offload_optimizer" not in told["zero_optimization"]
        assert "optimizer" not in told
    told = deepspeed_settings(ParallelConfig(engine="zero2", offload=True), on_gpu=True)
    assert told["zero_optimization"]["offload_optimizer"] == {"device": "cpu", "pin_memory": True}
    assert told["optimizer"]["type"] == "AdamW"


def test_what_is_asked_is_said_in_full():
    parallel = ParallelConfig(engine="zero3", offload=True, sequence_parallel=2)
    assert engine_asked(parallel, 8) == "zero3 over 8 processes, optimiser offloaded, sequences shared by 2"


def test_possible_pairs_are_let_through():
    config = SftConfig(max_steps=1, max_length=64)
    for parallel, count, gpus in (
        (ParallelConfig(processes=8), 8, 8),
        (ParallelConfig(processes=3), 3, 0),
        (ParallelConfig(engine="fsdp2"), 2, 2),
        (ParallelConfig(engine="zero3", sequence_parallel=4), 8, 8),
    ):
        refuse_impossible(config, parallel, processes=count, gpus=gpus)
