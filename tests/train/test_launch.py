"""Real processes of a small script, started, stopped and failing."""

import json
import os
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from terminal_lego.errors import ConfigError
from train import compose, launch
from train.config import TrainConfig
from train.interruption import INTERRUPTED, REQUEUE
from train.run_directory import refuse_other

ROOT = Path(__file__).parents[2]

STARTED = """
import json, os, pathlib, signal, sys, time
rank = int(os.environ["RANK"])
here = pathlib.Path(sys.argv[1])
def until(path):
    while not path.exists():
        time.sleep(0.01)
"""


def script(folder: Path, body: str) -> list[str]:
    """A command that runs `body`, which finds its `rank`, `here` (`folder`) and `until(path)`."""
    file = folder / "started.py"
    file.write_text(STARTED + textwrap.dedent(body))
    return [sys.executable, str(file), str(folder)]


def launcher(folder: Path, body: str, count: int = 2) -> "subprocess.Popen[str]":
    """`launch.run` in a process of its own, which exits with what it returns."""
    command = script(folder, body)
    code = f"from train import launch; import pathlib; raise SystemExit(launch.run({command!r}, {count}, pathlib.Path({str(folder / 'logs')!r})))"  # noqa: E501
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until(path: Path) -> None:
    while not path.exists():
        os.sched_yield()


def test_each_process_knows_its_place_and_only_the_first_is_heard(tmp_path, capfd):
    command = script(
        tmp_path,
        """
        names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
        (here / f"{rank}.json").write_text(json.dumps({name: os.environ[name] for name in names}))
        print("this is", rank)
        """,
    )
    assert launch.run(command, 3, tmp_path / "logs") == 0
    found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(3)]
    assert [each["RANK"] for each in found] == [each["LOCAL_RANK"] for each in found] == ["0", "1", "2"]
    assert {each["WORLD_SIZE"] for each in found} == {each["LOCAL_WORLD_SIZE"] for each in found} == {"3"}
    assert len({(each["MASTER_ADDR"], each["MASTER_PORT"]) for each in found}) == 1
    assert capfd.readouterr().out == "this is 0\n"
    assert (tmp_path / "logs" / "2.log").read_text() == "this is 2\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR2])
def test_a_signal_reaches_every_process_once_and_the_status_comes_back(number, tmp_path):
    """Sent to the whole group, as a terminal does: the processes get it from the launcher alone."""
    body = """
        heard = []
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
            signal.signal(each, lambda number, frame: heard.append(number))
        (here / f"ready-{rank}").touch()
        while not heard:
            time.sleep(0.01)
        (here / f"left-{rank}").touch()
        until(here / "left-1"), until(here / "left-0")
        raise SystemExit(75 if heard == [int((here / "number").read_text())] else 9)
        """
    (tmp_path / "number").write_text(str(int(number)))
    running = launcher(tmp_path, body)
    until(tmp_path / "ready-0")
    until(tmp_path / "ready-1")
    running.send_signal(number)
    assert running.communicate() == ("", "")
    assert running.returncode == REQUEUE


def test_who_stops_later_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "GRACE", 0.0)
    body = f"""
        if rank:
            raise SystemExit({INTERRUPTED})
        time.sleep(1)
        (here / "finished").touch()
        raise SystemExit({INTERRUPTED})
        """
    assert launch.run(script(tmp_path, body), 2, tmp_path / "logs") == INTERRUPTED
    assert (tmp_path / "finished").exists()


def test_a_process_that_fails_ends_the_others_and_is_shown(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(launch, "GRACE", 0.0)
    body = """
        if rank == 1:
            print("no memory left")
            raise SystemExit(7)
        time.sleep(600)
        """
    assert launch.run(script(tmp_path, body), 3, tmp_path / "logs") == 7
    shown = capfd.readouterr().err
    assert shown.startswith("error: process 1 failed (status 7); the end of ")
    assert shown.endswith("no memory left\n")


def test_a_killed_process_is_told_by_its_signal(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(launch, "GRACE", 0.0)
    body = "os.kill(os.getpid(), signal.SIGKILL) if rank else time.sleep(600)"
    assert launch.run(script(tmp_path, body), 2, tmp_path / "logs") == 128 + signal.SIGKILL
    assert "process 1 failed (killed by SIGKILL)" in capfd.readouterr().err


def test_what_the_main_process_says_is_not_said_twice(tmp_path, capfd):
    body = """
        print(f"error: told by {rank}", file=sys.stderr)
        until(here / "other") if rank == 0 else (here / "other").touch()
        raise SystemExit(2)
        """
    assert launch.run(script(tmp_path, body), 2, tmp_path / "logs") == 2
    assert capfd.readouterr().err == "error: told by 0\n"


def test_who_failed_first_is_shown_though_the_main_process_crashed_for_it(tmp_path, capfd):
    body = """
        if rank == 1:
            print("error: no room")
            raise SystemExit(2)
        time.sleep(1)
        raise RuntimeError("connection closed")
        """
    assert launch.run(script(tmp_path, body), 2, tmp_path / "logs") == 1
    shown = capfd.readouterr().err
    assert "RuntimeError: connection closed" in shown
    assert shown.endswith("error: no room\n")


def test_no_process_outlives_a_killed_launcher(tmp_path):
    body = """
        (here / f"draft-{rank}").write_text(str(os.getpid()))
        (here / f"draft-{rank}").rename(here / f"pid-{rank}")
        time.sleep(600)
        """
    running = launcher(tmp_path, body)
    handles = []
    for rank in range(2):
        until(tmp_path / f"pid-{rank}")
        handles.append(os.pidfd_open(int((tmp_path / f"pid-{rank}").read_text())))
    running.kill()
    running.communicate()
    for handle in handles:
        assert select.select([handle], [], [], 60)[0]  # it has ended
        os.close(handle)


@pytest.fixture
def config(tmp_path):
    def make(*overrides: str) -> TrainConfig:
        data = tmp_path / "data"
        data.mkdir(exist_ok=True)
        return compose.load([f"data.path={data}", f"run_dir={tmp_path / 'run'}", *overrides])

    return make


@pytest.fixture
def started(monkeypatch):
    """Calls of `launch.run`, which starts nothing."""
    calls = []
    monkeypatch.setattr(launch, "run", lambda *given: calls.append(given) or 5)
    for name in ("RANK", "WORLD_SIZE", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    return calls


def test_the_words_that_were_typed_are_typed_again_with_the_run_directory(config, started, tmp_path):
    words = ["sft.max_steps=3", "run_dir=elsewhere"]
    assert launch.start_processes(config("parallel.processes=2"), words) == 5
    command = [sys.executable, "-m", "train", "sft.max_steps=3", f"run_dir={tmp_path / 'run'}"]
    assert started == [(command, 2, tmp_path / "run" / "processes")]


def test_one_process_or_none_to_train_goes_on_here(config, started):
    assert launch.start_processes(config(), []) is None  # no GPU
    assert launch.start_processes(config("parallel.processes=1"), []) is None
    assert launch.start_processes(config("parallel.processes=2", "dry_run=true"), []) is None
    assert started == []


def test_one_of_several_goes_on_here(config, started, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    for asked in ([], ["parallel.processes=4"], ["parallel.processes=2", "parallel.nodes=2"]):
        assert launch.start_processes(config(*asked), []) is None
    with pytest.raises(ConfigError, match=r"parallel.processes=2 x parallel.nodes=1 .* but 4 processes"):
        launch.start_processes(config("parallel.processes=2"), [])
    assert started == []


@pytest.mark.parametrize(
    ("overrides", "gpus", "said"),
    [
        (["parallel.nodes=2"], 0, "parallel.nodes=2 cannot be started from one of them: add launcher=slurm"),
        (["parallel.processes=16"], 8, "parallel.processes=16, but this machine has 8 GPUs"),
        (["parallel.engine=fsdp2"], 0, "parallel.engine=fsdp2 needs GPUs"),
        (
            ["parallel.engine=zero3", "parallel.sequence_parallel=2", "parallel.processes=3"],
            0,
            "parallel.sequence_parallel=2 does not divide the run's 3 processes",
        ),
        (
            [
                "parallel.engine=zero3",
                "parallel.sequence_parallel=2",
                "parallel.processes=2",
                "sft.max_length=9",
            ],
            0,
            "sft.max_length=9 cannot be cut into",
        ),
    ],
)
def test_what_this_machine_cannot_start_is_refused(overrides, gpus, said, config, started, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    with pytest.raises(ConfigError, match=said):
        launch.start_processes(config(*overrides), [])
    assert started == []


def test_without_a_number_there_is_a_process_for_each_gpu(config, started, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert launch.start_processes(config(), []) == 5
    assert started[0][1] == 4


def test_the_logs_of_other_processes_are_no_other_run(tmp_path):
    (tmp_path / "processes").mkdir()
    assert refuse_other(tmp_path, {}) is False
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ConfigError, match="holds no run"):
        refuse_other(tmp_path, {})
