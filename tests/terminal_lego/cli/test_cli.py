import subprocess
import sys
from pathlib import Path

import pytest

from terminal_lego.cli import main
from terminal_lego.task import TaskConfig, write_task

COMMANDS = [
    ("tasks", "check"),
    *(("trajectories", action) for action in ("stats", "inspect", "card")),
    ("tor",),
]


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


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_path_is_one_sentence(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
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
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert done.returncode == 0
    assert "trajectories" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert not imported & {"torch", "docker", "pydantic", "rich", "datasets", "hydra"}
