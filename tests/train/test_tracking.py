import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal_lego.errors import ConfigError
from train import compose
from train.config import TrackingConfig, TrainConfig
from train.run_directory import RunDirectory, settings_of
from train.tracking import Tracker, wandb_mode

ROWS = [
    {"student": "base", "solved": 0, "tasks": 60, "pass@1": 0.0, "low": 0.0, "high": 0.06},
    {"student": "student", "solved": 48, "tasks": 60, "pass@1": 0.8, "low": 0.68, "high": 0.89},
]
SAMPLES = [{"id": "a", "tokens": 3, "trained": 1, "text": "read {+written+}"}]


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)


def config_in(tmp_path: Path, *overrides: str) -> TrainConfig:
    data = tmp_path / "rows.jsonl"
    data.write_text("{}\n")
    return compose.load([f"data.path={data}", f"run_dir={tmp_path / 'run'}", *overrides])


def records(file: Path) -> Iterator:
    """Protobuf records of a .wandb file: a 7-byte header, then LevelDB log blocks of 32768 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data = file.read_bytes()
    assert data[:4] == b":W&B"
    position, fragments = 7, b""
    while position + 7 <= len(data):
        left = 32768 - position % 32768
        if left < 7:
            position += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        fragments += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            record = Record()
            record.ParseFromString(fragments)
            fragments = b""
            yield record


def read_back(run: Path) -> tuple[list[str], list[dict], dict, dict]:
    """Run ids, history rows, summary and config of every offline file of a run directory."""
    ids, history, summary, config = [], [], {}, {}
    for file in sorted(run.glob("wandb/offline-run-*/*.wandb")):
        for record in records(file):
            if record.HasField("run"):
                ids.append(record.run.run_id)
                config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
            if record.HasField("history"):
                items = record.history.item
                history.append({i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items})
            if record.HasField("summary"):
                for item in record.summary.update:
                    summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    return ids, history, summary, config


def track(config: TrainConfig, steps: range) -> RunDirectory:
    run = RunDirectory(config)
    with Tracker(run, config.tracking, settings_of(config)) as tracker:
        tracker.show_samples(SAMPLES)
        for step in steps:
            tracker.log(step, {"train/loss": 1 / step})
        tracker.summarise(ROWS)
    return run


def test_offline_file_holds_what_was_logged(tmp_path, capfd):
    import openai  # noqa: F401 - W&B has something to say about it, and must not

    run = track(config_in(tmp_path), range(1, 4))

    ids, history, summary, config = read_back(run.path)
    losses = [(row["step"], row["train/loss"]) for row in history if "train/loss" in row]
    assert losses == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert ids == [(run.path / "wandb_run_id").read_text().strip()]
    assert summary["student/pass@1"] == 0.8
    assert summary["base/high"] == 0.06
    table = json.loads((next(run.path.glob("wandb/offline-*/files")) / summary["results/path"]).read_text())
    assert table["columns"] == list(ROWS[0])
    assert table["data"][1] == list(ROWS[1].values())
    assert config["sft"]["epochs"] == 3.0
    assert config["data_sha256"] == run.digests
    assert config["commit"] == run.commit
    assert config["normaliser"] and config["hardware"]["cpu"] and config["software"]["python"]
    files = next(run.path.glob("wandb/offline-*/files"))
    samples = [json.loads(path.read_text()) for path in files.rglob("samples*.table.json")]
    assert [table["data"] for table in samples] == [[list(SAMPLES[0].values())]]
    assert json.loads((run.path / "samples.jsonl").read_text()) == SAMPLES[0]
    assert capfd.readouterr() == ("", "")


def test_a_continued_run_keeps_its_wandb_id(tmp_path):
    config = config_in(tmp_path)
    track(config, range(1, 3))
    run = track(config, range(3, 5))

    ids, history, _, _ = read_back(run.path)
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert [row["step"] for row in history if "train/loss" in row] == [1, 2, 3, 4]


def test_metrics_are_on_disk_before_the_run_ends_and_without_wandb(tmp_path):
    config = config_in(tmp_path, "tracking=local")
    run = RunDirectory(config)
    with pytest.raises(RuntimeError), Tracker(run, config.tracking, {}) as tracker:
        tracker.log(1, {"train/loss": 2.0})
        raise RuntimeError
    assert run.read_metrics() == [{"step": 1, "train/loss": 2.0}]
    assert not (run.path / "wandb").exists()


def test_an_unreachable_server_is_said_and_tracked_offline(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "2")
    run = track(config_in(tmp_path), range(1, 2))
    assert "tracked offline" in capsys.readouterr().out
    assert read_back(run.path)[1]


@pytest.mark.parametrize(
    ("mode", "environment", "expected"),
    [
        ("auto", {}, "offline"),
        ("auto", {"WANDB_API_KEY": "x"}, "online"),
        ("auto", {"WANDB_API_KEY": "x", "WANDB_MODE": "disabled"}, "disabled"),
        ("offline", {"WANDB_API_KEY": "x"}, "offline"),
    ],
)
def test_mode_follows_setting_then_environment(mode, environment, expected, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wandb_mode(TrackingConfig(mode=mode)) == expected


def test_an_unknown_wandb_mode_is_refused(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "loud")
    with pytest.raises(ConfigError, match="WANDB_MODE=loud"):
        wandb_mode(TrackingConfig())
