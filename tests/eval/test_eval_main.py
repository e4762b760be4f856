import os
import subprocess
import sys
from pathlib import Path

import pytest

from eval.__main__ import evaluate_or_load
from eval.agents import Plan
from eval.config import EvaluationConfig
from eval.manifest import manifest_of, open_manifest
from eval.shards import planned_names
from terminal_lego.harness.record import TrialSettings
from terminal_lego.task import Task
from tests.eval.job_folders import write_trial

ROOT = Path(__file__).parent.parent.parent


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "eval", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment)


def test_help_names_every_key_and_leaves_nothing_behind(tmp_path):
    answer = run("--help", cwd=tmp_path)
    assert answer.returncode == 0
    for key in ("student", "tasks", "agent", "base_url", "attempts", "harness", "shard", "job_dir"):
        assert f"\n{key}:" in answer.stdout
    for key in ("profile", "max_turns", "temperature", "summarize"):
        assert f"\n  {key}: " in answer.stdout
    assert list(tmp_path.iterdir()) == []


def test_help_loads_nothing_heavy():
    code = (
        "import runpy, sys\nsys.argv = ['eval', '--help']\n"
        "try: runpy.run_module('eval', run_name='__main__')\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'docker', 'openai', 'transformers', 'pyarrow', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "tasks is not set: add tasks=<...>"),
        (["tasks=x"], "agent=terminus-2 needs a student"),
        (["tasks=x", "agent=claude"], "agent=claude is not known: choose one of terminus-2, oracle, nop."),
        (["tasks=/no/such/folder", "agent=nop"], "/no/such/folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message, tmp_path):
    answer = run(*arguments, cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: ") and answer.stderr.count("\n") == 1
    assert message in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_missing_profile_is_found_before_anything_runs(make_task, tmp_path):
    answer = run(
        f"tasks={make_task().path}", "student=m", "harness.profile=/no/such", f"job_dir={tmp_path}/job"
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: /no/such/")
    assert not (tmp_path / "job").exists()


def test_a_key_that_does_not_exist_is_refused_without_a_traceback(tmp_path):
    answer = run("tasks=x", "temprature=1", cwd=tmp_path)
    assert answer.returncode == 1
    assert "temprature" in answer.stderr and "Traceback" not in answer.stderr


def test_the_oracle_from_the_command_line(engine, make_task, tmp_path):
    task = make_task(metadata={"category": "easy"})
    answer = run(f"tasks={task.path}", "agent=oracle", f"job_dir={tmp_path}/job", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "oracle" in answer.stdout and "1/1" in answer.stdout and "easy" in answer.stdout
    assert "1/1 trials, 1 solved" in answer.stderr
    assert {"evaluation.json", "evaluation.yaml", "config.json", "manifest.json"} <= {
        file.name for file in (tmp_path / "job").iterdir()
    }


def finished_job(task: Task, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """The job that a command leaves in `folder`, and the command's words."""
    settings = {"student": "/no/such/model", "serve": "transformers", "tasks": str(task.path)}
    config = EvaluationConfig(**settings, attempts=2)
    plan, job = Plan(config), folder / config.folder
    found = manifest_of(config.name, [task], plan.describe(), 2, TrialSettings(), conditions=plan.conditions)
    open_manifest(job, found)
    for name in planned_names(found["tasks"], 2):
        write_trial(job / name, task.name, 1.0)
    return job, ("attempts=2", *(f"{key}={value}" for key, value in settings.items()))


def test_the_same_command_on_a_finished_job_scores_it_and_loads_no_model(make_task, tmp_path):
    job, words = finished_job(make_task(), tmp_path)
    answer = run(*words, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "100.0 %" in answer.stdout and "pass@2 100.0 %" in answer.stdout
    assert f"Trials: {job.relative_to(tmp_path)}" in answer.stdout
    assert {path.name for path in job.iterdir()} >= {"evaluation.json", "evaluation.yaml"}


def test_another_measurement_in_the_same_folder_is_refused_before_a_model_is_loaded(make_task, tmp_path):
    job, words = finished_job(make_task(), tmp_path)
    answer = run(*words, "harness.max_turns=3", f"job_dir={job}", cwd=tmp_path)
    assert answer.returncode == 2
    assert "holds an evaluation with another max_turns;" in answer.stderr


def test_a_missing_trial_needs_the_model_again(make_task, tmp_path, monkeypatch):
    class Loaded(Exception):
        pass

    def load(*_, **__):
        raise Loaded

    job, words = finished_job(make_task(), tmp_path)
    (next(path for path in job.iterdir() if path.is_dir()) / "result.json").unlink()
    settings = dict(word.split("=") for word in words if not word.startswith("attempts"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("terminal_lego.harness.clients.local_transformers.LocalStudent", load)
    with pytest.raises(Loaded):
        evaluate_or_load(EvaluationConfig(**settings, attempts=2))
