import json
import subprocess
import sys
from pathlib import Path

import pytest

from terminal_lego.cli import main
from terminal_lego.task import TaskConfig, write_task


def write(folder: Path) -> None:
    tables = {"environment": {"docker_image": "debian:12"}, "agent": {"timeout_sec": 60}}
    config = TaskConfig.model_validate(tables)
    write_task(folder, config, "Do it.\n", {"tests/test.sh": "echo 1\n", "environment/": ""})


def test_tasks_check_names_what_is_wrong(tmp_path, capsys):
    write(tmp_path / "good")
    write(tmp_path / "bad")
    (tmp_path / "bad" / "tests" / "test.sh").unlink()
    assert main(["tasks", "check", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert ["good", "debian:12", "60", "600"] in [line.split() for line in said.splitlines()]
    assert f"wrong: {tmp_path}/bad/tests/test.sh is missing" in said
    assert said.endswith("2 tasks: 1 in order, 1 not.\n")


def test_tasks_check_of_one_task(tmp_path, capsys):
    write(tmp_path / "good")
    assert main(["tasks", "check", str(tmp_path / "good")]) == 0
    assert capsys.readouterr().out.endswith("1 tasks: 1 in order, 0 not.\n")


def conversation(model: str, replies: int, reward: float | None) -> str:
    chat = [{"role": "user", "content": "start"}]
    for _ in range(replies):
        chat += [{"role": "assistant", "content": "{}"}, {"role": "user", "content": "screen"}]
    return json.dumps({"messages": chat[:-1], "model": model, "task": "t", "reward": reward})


def test_trajectory_stats_count_by_model_and_add_up(tmp_path, capsys):
    rows = [conversation("a", 1, 1.0), conversation("a", 4, 0.0), conversation("[b]", 2, None), "{torn"]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows) + "\n")
    assert main(["trajectories", "stats", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "4 met: 3 read, 1 set aside."
    assert said[1].split()[:2] == ["model", "trials"]
    assert said[2].split() == ["[b]", "1", "1", "0", "0", "1", "0", "2", "2-2"]
    assert said[3].split() == ["a", "2", "1", "1", "1", "0", "0", "2.5", "1-4"]
    assert said[4].startswith("set aside 1: ")
    assert "rows.jsonl:4" in said[4]


@pytest.mark.parametrize("command", [("tasks", "check"), ("trajectories", "stats")])
def test_a_missing_path_is_one_sentence(command, tmp_path, capsys):
    assert main([*command, str(tmp_path / "none")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {tmp_path / 'none'}")
    assert said.err.count("\n") == 1


def test_an_empty_folder_holds_no_task(tmp_path, capsys):
    assert main(["tasks", "check", str(tmp_path)]) == 2
    assert "holds no task" in capsys.readouterr().err


def test_engine_status_without_an_engine_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    assert main(["engine", "status"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_help_imports_only_what_it_needs():
    command = [sys.executable, "-X", "importtime", "-m", "terminal_lego.cli", "--help"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0
    assert "trajectories" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert not imported & {"torch", "docker", "pydantic", "rich", "datasets", "hydra"}
