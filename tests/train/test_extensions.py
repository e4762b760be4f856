"""Code that is compiled when it is first needed, by real processes that may be killed while they do."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from train import extensions
from train.extensions import Lock

ROOT = Path(__file__).parents[2]

COMPILING = """
import sys
from train import extensions
extensions.prepare()
from torch.utils import cpp_extension
cpp_extension.load("seven", [sys.argv[1]], is_python_module=False, build_directory=sys.argv[2])
"""

COMPILER = """#!/bin/sh
case "$*" in *seven.cpp*) touch {here}/begun; while [ -e {here}/slow ]; do sleep 0.05; done;; esac
exec c++ "$@"
"""


@pytest.fixture
def start(tmp_path):
    """Begins to compile a small file, in a process group of its own; slowly while `slow` exists."""
    (tmp_path / "seven.cpp").write_text('extern "C" int seven() { return 7; }\n')
    (tmp_path / "slow").touch()
    (tmp_path / "built").mkdir()
    compiler = tmp_path / "compiler"
    compiler.write_text(COMPILER.format(here=tmp_path))
    compiler.chmod(0o755)
    environment = os.environ | {
        "CXX": str(compiler),
        "DS_ACCELERATOR": "cpu",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TORCH_EXTENSIONS_DIR": str(tmp_path / "folder"),
    }

    started = []

    def begin() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", COMPILING, str(tmp_path / "seven.cpp"), str(tmp_path / "built")]
        with (tmp_path / "said").open("wb") as said:
            begun = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, stderr=said)
        started.append(begun)
        return begun

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.slow
def test_a_process_killed_while_it_compiles_holds_nobody_up(start, tmp_path):
    """It leaves torch's own lock, if there is one, and half of the files; the next start compiles."""
    (tmp_path / "built" / "lock").touch()  # of a program that knows nothing of this
    killed = start()
    while not (tmp_path / "begun").exists():
        assert killed.poll() is None, (tmp_path / "said").read_text()
        os.sched_yield()
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    (tmp_path / "slow").unlink()
    assert start().wait() == 0, (tmp_path / "said").read_text()
    assert (tmp_path / "built" / "seven.so").exists()


HOLDING = """
import sys
from train.extensions import Lock
print(Lock(sys.argv[1]).try_acquire(), flush=True)
sys.stdin.read()
"""


def test_others_wait_for_the_one_that_compiles_and_no_longer(tmp_path):
    command = [sys.executable, "-c", HOLDING, str(tmp_path / "lock")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"True\n"
        waiting = Lock(str(tmp_path / "lock"))
        assert not waiting.try_acquire()
        holder.kill()
        waiting.wait()
    free = Lock(str(tmp_path / "lock"))
    assert free.try_acquire()
    free.release()
    assert not (tmp_path / "lock").exists(), "which others would take for a lock that is held"


def test_environments_do_not_compile_over_each_other(monkeypatch):
    ours = extensions.folder()
    monkeypatch.setattr(sys, "prefix", "/another")
    assert extensions.folder() != ours
    assert extensions.folder().parent == ours.parent
