import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "eval", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment)


def test_help_names_every_key_and_leaves_nothing_behind(tmp_path):
    answer = run("--help", cwd=tmp_path)
    assert answer.returncode == 0
    for key in ("student", "tasks", "agent", "base_url", "attempts", "max_turns", "job_dir"):
        assert f"\n{key}: " in answer.stdout
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
        (["tasks=x", "agent=nop", "attempts=0"], "attempts=0 runs nothing"),
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
    answer = run(f"tasks={make_task().path}", "student=m", "profile=/no/such", f"job_dir={tmp_path}/job")
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
    assert {"evaluation.json", "evaluation.yaml", "config.json"} <= {
        file.name for file in (tmp_path / "job").iterdir()
    }
