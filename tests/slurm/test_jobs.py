"""Jobs in a real Slurm: how they are told to stop, and what becomes of them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from terminal_lego.errors import ConfigError
from terminal_lego.formats import write_parquet
from tests.slurm.conftest import ROOT, waiting
from tests.train.scripted import conversations
from train import compose, slurm

LIGHT = ("student=tiny", "evaluation=skip", "tracking=local", "sft.epochs=null", "sft.accumulation=1")
STAND_IN = """\
#!{python}
# In place of a training: waits for a signal, saves if the test says so, ends with 75; later starts end well.
import json, os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from train.slurm import environment_from_slurm

run = Path(sys.argv[-1].partition("=")[2])
here = environment_from_slurm()
start = os.environ.get("SLURM_RESTART_COUNT", "0")


def told(number, frame):
    for each in (signal.SIGUSR2, signal.SIGTERM):  # srun sends another when the first process is gone
        signal.signal(each, signal.SIG_IGN)
    (run / f"told-{{here['RANK']}}-{{start}}").write_text(str(number))
    if {saves} and here["RANK"] == "0":
        (run / "checkpoints" / "checkpoint-1").mkdir(parents=True)
        time.sleep(1)  # a save takes a while, and whoever waits for it must
        (run / "checkpoints" / "checkpoint-1" / "complete.json").touch()
    sys.exit(75)


for number in (signal.SIGUSR2, signal.SIGTERM):
    signal.signal(number, told)
(run / f"began-{{here['RANK']}}-{{start}}").write_text(json.dumps(here))
while start == "0":
    signal.pause()
"""


@pytest.fixture
def rows(tmp_path) -> str:
    write_parquet(conversations(12), tmp_path / "rows.parquet")
    return f"data.path={tmp_path / 'rows.parquet'}"


@pytest.fixture
def submit(cluster, tmp_path, rows, monkeypatch):
    """Submits two processes that only wait for signals; returns the job's id once both do."""

    def begin(*, saves: bool) -> str:
        stand_in = tmp_path / "stand_in"
        stand_in.write_text(STAND_IN.format(python=sys.executable, root=str(ROOT), saves=saves))
        stand_in.chmod(0o755)
        words = (
            rows,
            "launcher=slurm",
            "parallel.processes=2",
            f"run_dir={tmp_path / 'run'}",
        )
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", str(stand_in))
            job = slurm.submit(compose.load(words), words)
        waiting(lambda: len(list((tmp_path / "run").glob("began-*-0"))) == 2)
        return job

    return begin


def log(run: Path, job: str) -> str:
    return (run / "slurm" / f"{job}.log").read_text()


def submitted(done: subprocess.CompletedProcess) -> list[str]:
    assert done.returncode == 0, done.stderr
    return re.findall(r"^Job (\d+) is submitted", done.stdout, re.MULTILINE)


def told(run: Path, start: int) -> dict[str, int]:
    return {path.name.split("-")[1]: int(path.read_text()) for path in run.glob(f"told-*-{start}")}


def test_the_notice_reaches_every_process_and_the_job_starts_again(cluster, submit, tmp_path):
    run = tmp_path / "run"
    job = submit(saves=True)
    cluster.notice(job)
    cluster.start_again(job)
    ended = cluster.ended(job)
    assert (ended["JobState"], ended["Restarts"]) == ("COMPLETED", "1"), log(run, job)
    assert told(run, 0) == {"0": 12, "1": 12}
    assert (run / "checkpoints" / "checkpoint-1" / "complete.json").exists()
    assert "what was trained is saved, and the job starts again" in log(run, job)
    assert f"Job {job}, start 2, on localhost" in log(run, job)
    one, other = (json.loads((run / f"began-{rank}-1").read_text()) for rank in "01")
    assert one | {"RANK": "1", "LOCAL_RANK": "1"} == other
    assert one["RANK"] == one["LOCAL_RANK"] == "0"
    assert one["WORLD_SIZE"] == one["LOCAL_WORLD_SIZE"] == "2"
    assert one["MASTER_ADDR"] == "localhost"


def test_a_job_that_saved_nothing_is_not_started_again(cluster, submit, tmp_path):
    job = submit(saves=False)
    cluster.notice(job)
    ended = cluster.ended(job)
    assert (ended["JobState"], ended["ExitCode"], ended["Restarts"]) == ("FAILED", "75:0", "0")
    assert told(tmp_path / "run", 0) == {"0": 12, "1": 12}
    assert "error: time ran out before anything new was saved" in log(tmp_path / "run", job)


def test_a_cancelled_job_may_save_and_stays_away_and_its_run_has_one_job_at_a_time(cluster, submit, tmp_path):
    run = tmp_path / "run"
    job = submit(saves=True)
    [second] = submitted(
        cluster.train(
            "launcher=slurm",
            "data.path=rows.parquet",
            f"run_dir={run}",
            folder=tmp_path,
        )
    )
    waiting(lambda: cluster.job(second)["Reason"] != "None")
    assert (cluster.job(second)["JobState"], cluster.job(second)["Reason"]) == ("PENDING", "Dependency")
    cluster.run("scancel", second)
    cluster.run("scancel", job)
    assert cluster.ended(job)["JobState"] == "CANCELLED"
    waiting((run / "checkpoints" / "checkpoint-1" / "complete.json").exists)
    assert set(told(run, 0)) == {"0", "1"}
    assert "starts again" not in log(run, job)
    assert cluster.job(job)["Restarts"] == "0"


def test_the_first_host_is_the_one_that_slurm_names(cluster):
    for nodes in ("n1", "n[007-009,12],m1", "m1,n[1-2]", "rack[01-02]-n[3-4]", "a-b.c[5]"):
        shown = cluster.run("scontrol", "show", "hostnames", nodes).stdout.split()
        assert slurm.first_host(nodes) == shown[0]


def test_what_sbatch_refuses_is_told_in_its_words(cluster, rows, tmp_path):
    words = (rows, "launcher=slurm", "launcher.partition=night", f"run_dir={tmp_path / 'run'}")
    with pytest.raises(
        ConfigError, match=r"^sbatch refused the job \(.*[Ii]nvalid partition.*\): "
    ) as caught:
        slurm.submit(compose.load(words), words)
    assert "\n" not in str(caught.value)
    assert "sbatch: error" not in str(caught.value)
    assert not (tmp_path / "run" / "slurm" / "jobs.jsonl").exists()


@pytest.mark.slow
def test_a_sweep_submits_each_of_its_runs(cluster, rows, tmp_path):
    words = (
        *LIGHT,
        rows,
        "sft.max_steps=2",
        "launcher=slurm",
        "sft.seed=0,1",
        "--multirun",
    )
    jobs = submitted(done := cluster.train(*words, folder=tmp_path))
    runs = [Path(found) for found in re.findall(r"Run directory: (.+)", done.stdout)]
    assert len(jobs) == len(set(runs)) == 2
    for job, run, seed in zip(jobs, runs, (0, 1), strict=True):
        assert cluster.ended(job)["JobState"] == "COMPLETED", log(run, job)
        assert run.parent == tmp_path / "runs" / "custom"
        assert json.loads((run / "result.json").read_text())["steps"] == 2
        assert json.loads((run / "provenance.json").read_text())["seeds"]["sft.seed"] == seed
        [record] = map(json.loads, (run / "slurm" / "jobs.jsonl").read_text().splitlines())
        assert record["job"] == job
        assert f"sft.seed={seed}" in record["typed"]


@pytest.mark.slow
def test_a_run_outlives_its_time_limit_and_a_preemption(cluster, rows, tmp_path):
    run, steps = tmp_path / "run", 150
    length = (f"sft.max_steps={steps}", f"sft.save_steps={steps}", "sft.logging_steps=1")
    words = (*LIGHT, rows, *length, "launcher=slurm", f"run_dir={run}")
    [job] = submitted(cluster.train(*words, folder=tmp_path))

    def logged() -> list[int]:
        path = run / "metrics.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        records = [json.loads(line) for line in lines]
        return [record["step"] for record in records if "train/loss" in record]

    def goes_on(further: int) -> None:
        waiting(lambda: len(logged()) > further or cluster.job(job)["JobState"] == "FAILED")

    for stop in (cluster.notice, lambda job: cluster.run("scontrol", "requeue", job)):
        goes_on(len(logged()) + 2)
        stop(job)
        cluster.start_again(job)
    ended = cluster.ended(job)
    assert (ended["JobState"], ended["Restarts"]) == ("COMPLETED", "2"), log(run, job)
    assert logged() == list(range(1, steps + 1)), "a step was lost, or done twice"
    assert json.loads((run / "result.json").read_text())["steps"] == steps
    assert "Traceback" not in log(run, job)


@pytest.mark.slow
def test_a_run_that_fails_says_why_in_its_log(cluster, rows, tmp_path):
    words = (
        *LIGHT,
        rows,
        "teacher=nobody",
        "sft.max_steps=2",
        "launcher=slurm",
        f"run_dir={tmp_path / 'run'}",
    )
    [job] = submitted(done := cluster.train(*words, folder=tmp_path))
    ended = cluster.ended(job)
    assert (ended["JobState"], ended["ExitCode"], ended["Restarts"]) == ("FAILED", "2:0", "0")
    path = re.search(r"tail -F (\S+)", done.stdout)[1]
    assert "error: nothing is left to train on" in Path(path).read_text()
    assert "Traceback" not in Path(path).read_text()
