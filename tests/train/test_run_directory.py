import io
import json
import math
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from terminal_lego import json_files
from terminal_lego.errors import ConfigError
from train import compose, provenance, run_directory
from train.run_directory import RunDirectory, reserve
from train.stages import Stages


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("{}\n")


def config(*overrides: str):
    return compose.load(["data.path=rows.jsonl", *overrides])


def test_a_new_run_gets_its_own_folder_and_is_the_latest(tmp_path):
    first, second = RunDirectory(config()), RunDirectory(config())
    assert first.path != second.path
    assert first.path.parent == tmp_path / "runs" / "custom"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", first.path.name)
    link = tmp_path / "runs" / "latest"
    assert not link.readlink().is_absolute()
    assert link.resolve() == second.path


def test_provenance_is_there_from_the_start(monkeypatch):
    words = ["sft.seed=3", "+x.api_key=hunter2", "evaluation.max_new_tokens=9"]
    monkeypatch.setattr(sys, "argv", ["train", *words])
    run = RunDirectory(config("sft.seed=3"))
    record = json.loads((run.path / "provenance.json").read_text())
    assert record["typed"] == ["sft.seed=3", "+x.api_key=***", "evaluation.max_new_tokens=9"]
    assert record["config"] == yaml.safe_load((run.path / "config.yaml").read_text())
    assert record["config"]["sft"]["seed"] == 3
    assert record["seeds"]["sft.seed"] == 3
    assert record["data"] == [
        {"path": "rows.jsonl", "sha256": "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"}
    ]
    assert record["packages"]["hydra-core"]
    assert record["hardware"]["cores"] >= 1
    assert record["hardware"]["memory_gib"] > 0
    assert record["software"]["python"] == sys.version.split()[0]
    assert set(record["git"]) == {"commit", "is_dirty", "untracked"}


def test_the_environment_is_not_recorded(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "canary-in-a-coal-mine")
    run = RunDirectory(config())
    assert all(b"canary" not in file.read_bytes() for file in run.path.rglob("*") if file.is_file())


def test_an_existing_run_is_continued_and_records_its_second_start():
    first = RunDirectory(config())
    second = RunDirectory(config(f"run_dir={first.path}", "dry_run=true"))
    assert second.path == first.path
    assert (first.is_resumed, second.is_resumed) == (False, True)
    assert (first.path / "provenance-2.json").exists()
    starts = [record["number"] for record in json_files.read_lines(first.path / "events.jsonl")]
    assert starts == [1, 2]


def test_latest_can_be_continued(tmp_path):
    first = RunDirectory(config())
    assert RunDirectory(config("run_dir=runs/latest")).path == first.path


def test_other_settings_are_refused_by_name():
    first = RunDirectory(config())
    with pytest.raises(ConfigError) as caught:
        RunDirectory(config(f"run_dir={first.path}", "sft.seed=1", "sft.epochs=2"))
    assert "sft.epochs (3.0 there, 2.0 now), sft.seed (0 there, 1 now)" in str(caught.value)
    assert not (first.path / "provenance-2.json").exists()


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(ConfigError, match="not empty and holds no run"):
        RunDirectory(config("run_dir=mine"))
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_run_elsewhere_leaves_latest_alone(tmp_path):
    RunDirectory(config(f"run_dir={tmp_path / 'elsewhere'}"))
    assert not (tmp_path / "runs").exists()


def test_metrics_survive_a_torn_line_and_the_later_start_wins():
    run = RunDirectory(config())
    run.log_metrics(1, {"train/loss": 3.0})
    run.log_metrics(2, {"train/loss": 2.0})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "train/lo')
    run.log_metrics(2, {"train/loss": 1.5})
    run.log_metrics(3, {"train/loss": math.nan})
    assert run.read_metrics() == [
        {"step": 1, "train/loss": 3.0},
        {"step": 2, "train/loss": 1.5},
        {"step": 3, "train/loss": None},
    ]


def test_result_is_written_whole():
    run = RunDirectory(config())
    run.write_result({"base": {"pass@1": 0.0}})
    path = run.write_result({"base": {"pass@1": math.nan, "solved": 0}})
    assert json.loads(path.read_text()) == {"base": {"pass@1": None, "solved": 0}}
    assert not [file for file in run.path.iterdir() if file.name.startswith(".")]


def test_stages_say_what_happens_and_record_seconds():
    run = RunDirectory(config())
    console = Console(record=True, file=io.StringIO())
    stages = Stages(run, console)
    with stages("read the trajectories"):
        pass
    with pytest.raises(ZeroDivisionError), stages("train"):
        raise ZeroDivisionError
    events = [(e["event"], e["stage"]) for e in json_files.read_lines(run.path / "events.jsonl")[1:]]
    assert events == [
        ("stage started", "read the trajectories"),
        ("stage finished", "read the trajectories"),
        ("stage started", "train"),
        ("stage failed", "train"),
    ]
    assert list(stages.seconds) == ["read the trajectories", "train"]
    assert "1 read the trajectories" in console.export_text()


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


def test_git_state_has_the_commit_and_what_is_not_in_it(tmp_path):
    home = tmp_path / "checkout"
    home.mkdir()
    git(home, "init")
    assert provenance.git_state(home)[0]["commit"] is None
    (home / "a.py").write_text("one\n")
    git(home, "add", ".")
    git(home, "commit", "-m", "first")
    clean, diff = provenance.git_state(home)
    assert re.fullmatch("[0-9a-f]{40}", clean["commit"])
    assert (clean["is_dirty"], diff) == (False, "")
    (home / "a.py").write_text("two\n")
    (home / "b.py").write_text("new\n")
    dirty, diff = provenance.git_state(home)
    assert dirty == {"commit": clean["commit"], "is_dirty": True, "untracked": ["b.py"]}
    assert "+two" in diff
    (home / "site-packages").mkdir()
    assert provenance.git_state(home / "site-packages")[0]["commit"] is None


def test_digest_of_a_folder_sees_names_and_bytes(tmp_path):
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a").write_text("1")
    before = provenance.digest(folder)
    assert provenance.digest(folder) == before
    (folder / "deep" / "a").rename(folder / "deep" / "b")
    renamed = provenance.digest(folder)
    (folder / "deep" / "b").write_text("2")
    assert len({before, renamed, provenance.digest(folder)}) == 3


@pytest.mark.parametrize("key", ["api_key", "WANDB_API_KEY", "hf.token", "password", "x-secret"])
def test_secrets_are_masked_by_key(key):
    assert provenance.masked({"a": [{key: "s"}]}) == {"a": [{key: "***"}]}
    assert provenance.masked_words([f"{key}=s"]) == [f"{key}=***"]


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.floats() | st.text(), st.lists, max_leaves=5)))
def test_any_record_comes_back_as_it_went(record):
    path = Path("lines.jsonl")
    path.unlink(missing_ok=True)
    json_files.append_line(path, record)
    assert json_files.read_lines(path) == [json_files.finite(record)]


STOPPABLE = """
import sys, time, types
sys.path.insert(0, {root!r})
pipeline = sys.modules["train.pipeline"] = types.ModuleType("train.pipeline")
def run(config):
    print("ready", flush=True)
    time.sleep(60)
pipeline.run = run
from train.__main__ import main
main()
"""


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_how_to_continue(sent, status, tmp_path):
    code = STOPPABLE.format(root=str(compose.HOME))
    command = [sys.executable, "-c", code, "data.path=rows.jsonl", "sft.seed=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
    assert process.returncode == status
    [path] = (tmp_path / "runs" / "custom").iterdir()
    assert said == f"\nStopped. To continue: python -m train data.path=rows.jsonl sft.seed=1 run_dir={path}\n"


def test_reserve_keeps_a_named_folder(tmp_path):
    assert reserve(config("run_dir=x")) == tmp_path / "x"
    assert run_directory.typed() == sys.argv[1:]
