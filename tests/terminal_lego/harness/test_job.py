import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from terminal_lego.errors import (
    ConfigError,
    DiskFullError,
    EngineUnavailableError,
    ModelUnavailableError,
    TaskError,
)
from terminal_lego.harness import job as job_module
from terminal_lego.harness.agents import AgentResult
from terminal_lego.harness.agents.nop import Nop
from terminal_lego.harness.agents.oracle import Oracle
from terminal_lego.harness.engine import answers
from terminal_lego.harness.job import TrialSettings, run_job, trial_name
from terminal_lego.harness.sandbox import JOB_LABEL, DockerSandbox
from terminal_lego.task import Task


class Scripted:
    """Solves the task after calling `during`, and counts the trials it was made for."""

    name, version, model = "scripted", "1", None
    runs: list[str]

    def __init__(self, runs: list[str], during: Callable[[str], None] = lambda trial: None):
        self.runs, self.during = runs, during

    def run(self, task, sandbox, trial_dir, deadline) -> AgentResult:
        self.runs.append(trial_dir.name)
        self.during(trial_dir.name)
        sandbox.exec("echo done > out.txt")
        return AgentResult()


@pytest.fixture
def tasks(make_task) -> list[Task]:
    return [make_task("first"), make_task("second")]


@pytest.fixture
def job_dir(tmp_path: Path) -> Path:
    return tmp_path / "job"


def left(engine, job_dir: Path) -> list:
    return engine.containers.list(all=True, filters={"label": f"{JOB_LABEL}={job_dir}"})


def test_names_follow_from_task_and_attempt(make_task):
    task = make_task("a-name-that-is-longer-than-thirty-two-characters")
    names = [trial_name(task, attempt) for attempt in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    assert names[0].startswith("a-name-that-is-longer-than-thirt__")
    assert len(names[0]) == 32 + 2 + 7
    named = make_task("folder", task={"name": "org/short"})
    assert trial_name(named, 1).startswith("short__")


def test_runs_every_attempt_at_every_task(engine, tasks, job_dir):
    seen = []
    result = run_job(tasks, Oracle, job_dir, attempts=2, on_trial=seen.append, client=engine)
    planned = [trial_name(task, attempt) for attempt in (1, 2) for task in tasks]
    assert [trial.trial_name for trial in result.trials] == planned
    assert sorted(trial.trial_name for trial in seen) == sorted(planned)
    assert {trial.reward for trial in result.trials} == {1}
    stats = json.loads((job_dir / "result.json").read_text())
    assert stats["n_total_trials"] == stats["stats"]["n_completed_trials"] == 4
    assert stats["finished_at"]
    (group,) = stats["stats"]["evals"].values()
    assert (group["n_trials"], group["n_errors"], group["metrics"]) == (4, 0, [{"mean": 1}])
    assert left(engine, job_dir) == []


def test_a_finished_job_is_not_run_again(engine, tasks, job_dir, monkeypatch):
    first = run_job(tasks, Nop, job_dir, client=engine)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    again = run_job(tasks, Nop, job_dir)
    assert [trial.data for trial in again.trials] == [trial.data for trial in first.trials]


@pytest.mark.parametrize("damage", [None, "", '{"trial_name": 1', "[]"])
def test_a_trial_without_a_sound_result_is_run_again(engine, tasks, job_dir, damage):
    runs: list[str] = []
    first = run_job(tasks, lambda: Scripted(runs), job_dir, client=engine)
    victim, kept = (trial.path for trial in first.trials)
    (victim / "stale").touch()
    (victim / "result.json").unlink()
    if damage is not None:
        (victim / "result.json").write_text(damage)
    runs.clear()
    assert all(trial.reward == 1 for trial in run_job(tasks, lambda: Scripted(runs), job_dir).trials)
    assert runs == [victim.name]
    assert not (victim / "stale").exists()
    assert kept.exists()


def test_infrastructure_errors_are_run_again_and_agent_errors_kept(engine, tasks, job_dir):
    def breaks(name: str) -> None:
        if name.startswith("first"):
            raise ModelUnavailableError("503")

    first = run_job(tasks, lambda: Scripted([], breaks), job_dir, client=engine)
    assert [trial.trial_name[:5] for trial in first.infrastructure_errors] == ["first"]
    runs: list[str] = []
    second = run_job(tasks, lambda: Scripted(runs), job_dir, client=engine)
    assert [name[:5] for name in runs] == ["first"]
    assert [trial.reward for trial in second.trials] == [1, 1]


def test_another_job_is_refused_by_what_differs(engine, tasks, job_dir, make_task):
    run_job(tasks[:1], Nop, job_dir, client=engine)
    settings = TrialSettings(timeout_multiplier=2)
    with pytest.raises(ConfigError, match=r"another agent\.name, n_attempts, timeout_multiplier;"):
        run_job(tasks[:1], Oracle, job_dir, attempts=2, settings=settings, client=engine)
    with pytest.raises(ConfigError, match=r"another tasks\.second;"):
        run_job(tasks, Nop, job_dir, client=engine)
    (tasks[0].path / "instruction.md").write_text("Changed.")
    with pytest.raises(ConfigError, match=r"another tasks\.first;"):
        run_job([Task(tasks[0].path, tasks[0].config, "Changed.")], Nop, job_dir, client=engine)


def test_an_agents_own_settings_count(engine, tasks, job_dir):
    def agent(turns: int) -> Nop:
        made = Nop()
        made.config = {"max_turns": turns}
        return made

    run_job(tasks, lambda: agent(5), job_dir, client=engine)
    with pytest.raises(ConfigError, match=r"agent\.config\.max_turns"):
        run_job(tasks, lambda: agent(6), job_dir, client=engine)


def test_a_damaged_job_is_refused(tasks, job_dir):
    job_dir.mkdir()
    (job_dir / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="is damaged"):
        run_job(tasks, Nop, job_dir)


def test_a_job_directory_has_one_process(engine, tasks, job_dir):
    def second_run(name: str) -> None:
        with pytest.raises(ConfigError, match="in use"):
            run_job(tasks, Nop, job_dir, client=engine)

    result = run_job(tasks[:1], lambda: Scripted([], second_run), job_dir, client=engine)
    assert result.trials[0].reward == 1


def test_refuses_before_anything_is_touched(tasks, job_dir, make_task):
    with pytest.raises(TaskError, match="gpus"):
        run_job([*tasks, make_task("third", environment={"gpus": 1})], Nop, job_dir)
    with pytest.raises(ConfigError, match="Two tasks are named first"):
        run_job([tasks[0], tasks[0]], Nop, job_dir)
    assert not job_dir.exists()


def test_leftovers_of_an_earlier_run_are_removed(engine, tasks, job_dir):
    sandbox = DockerSandbox(engine, tasks[0], "earlier", job=str(job_dir))
    sandbox.start()
    run_job(tasks[:1], Nop, job_dir, client=engine)
    assert left(engine, job_dir) == []


def test_an_event_stops_the_job_and_a_rerun_finishes_it(engine, tasks, job_dir):
    stop = threading.Event()

    def stop_in_second(name: str) -> None:
        if name.startswith("second"):
            stop.set()
            time.sleep(0.5)

    make = lambda: Scripted([], stop_in_second)  # noqa: E731
    first = run_job(tasks, make, job_dir, attempts=2, concurrency=1, stop=stop, client=engine)
    assert [trial.exception_type for trial in first.trials] == [None, "CancelledError"]
    assert (first.n_planned, left(engine, job_dir)) == (4, [])

    runs: list[str] = []
    second = run_job(tasks, lambda: Scripted(runs), job_dir, attempts=2, client=engine)
    assert len(runs) == 3
    assert [trial.reward for trial in second.trials] == [1] * 4


SLOW = """
import sys
from pathlib import Path
from terminal_lego.harness.agents import AgentResult
from terminal_lego.harness.job import run_job
from terminal_lego.task import read_task

class Slow:
    name, version, model = "slow", "1", None
    def run(self, task, sandbox, trial_dir, deadline):
        if task.name == "second":
            print("working", flush=True)
            sandbox.exec("sleep 600")
        return AgentResult()

tasks = [read_task(path) for path in sys.argv[2:]]
try:
    run_job(tasks, Slow, Path(sys.argv[1]), concurrency=1)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_removes_the_containers_and_keeps_what_is_finished(engine, tasks, job_dir, by):
    command = [sys.executable, "-c", SLOW, str(job_dir), *(str(task.path) for task in tasks)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "working\n"
        process.send_signal(by)
        assert process.communicate(timeout=60)[0] == "interrupted\n"
    assert left(engine, job_dir) == []
    ends = {
        path.parent.name[:6]: json.loads(path.read_text())["exception_info"]
        for path in job_dir.glob("*__*/result.json")
    }
    assert ends["first_"] is None
    assert ends["second"]["exception_type"] == "CancelledError"


@pytest.mark.parametrize("where", ["make_agent", "on_trial"])
def test_the_callers_own_error_is_raised_after_cleaning_up(engine, tasks, job_dir, where):
    made = []

    def make() -> Nop:
        made.append(1)
        if where == "make_agent" and len(made) > 1:
            raise ZeroDivisionError
        return Nop()

    def on_trial(trial) -> None:
        if where == "on_trial":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_job(tasks, make, job_dir, on_trial=on_trial, client=engine)
    assert left(engine, job_dir) == []


class EngineProxy:
    """A socket in front of the real engine that can hang up on everyone, as an engine that dies does."""

    def __init__(self, path: Path, target: str):
        self.url = f"unix://{path}"
        self._target = target
        self._open: set[socket.socket] = set()
        self._dead = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._dead:
                    near.close()
                    continue
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._target)
                self._open |= {near, far}
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def die(self) -> None:
        self._dead = True
        self._hang_up(*self._open)
        self._open.clear()

    def revive(self) -> None:
        self._dead = False

    def close(self) -> None:
        self._hang_up(self._listener, *self._open)

    def _hang_up(self, *sockets: socket.socket) -> None:
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def proxy(engine, tmp_path: Path) -> Iterator[EngineProxy]:
    target = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not target.startswith("unix://"):
        pytest.skip(f"the engine at {target} has no unix socket to stand in front of")
    proxy = EngineProxy(tmp_path / "proxy.sock", target.removeprefix("unix://"))
    yield proxy
    proxy.close()


@pytest.fixture
def through_proxy(proxy) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=proxy.url, timeout=30)
    yield client
    client.close()


def test_an_engine_that_stays_away_ends_the_job_and_a_rerun_finishes(
    engine, proxy, through_proxy, tasks, job_dir, monkeypatch
):
    monkeypatch.setattr(job_module, "ENGINE_SECONDS", 0)

    def dies_in_second(name: str) -> None:
        if name.startswith("second"):
            proxy.die()

    make = lambda: Scripted([], dies_in_second)  # noqa: E731
    with pytest.raises(EngineUnavailableError, match="what is finished is kept"):
        run_job(tasks, make, job_dir, attempts=3, concurrency=1, client=through_proxy)
    runs: list[str] = []
    second = run_job(tasks, lambda: Scripted(runs), job_dir, attempts=3, client=engine)
    assert len(runs) == 5
    assert {trial.reward for trial in second.trials} == {1}
    assert left(engine, job_dir) == []


def test_a_trial_that_loses_its_container_to_a_restarted_engine_is_run_again(
    engine, proxy, through_proxy, tasks, job_dir, monkeypatch
):
    runs: list[str] = []

    def restarts_once(name: str) -> None:
        if len(runs) == 1:
            for container in left(engine, job_dir):
                container.kill()
            proxy.die()

    def comes_back(client: docker.DockerClient) -> bool:
        proxy.revive()
        return answers(client)

    monkeypatch.setattr(job_module, "answers", comes_back)
    result = run_job(
        tasks, lambda: Scripted(runs, restarts_once), job_dir, concurrency=1, client=through_proxy
    )
    assert [name[:6] for name in runs] == ["first_", "first_", "second"]
    assert [trial.reward for trial in result.trials] == [1, 1]
    assert left(engine, job_dir) == []


def test_a_full_disk_ends_the_job_in_one_sentence_and_a_rerun_finishes(engine, tasks, job_dir):
    def fills(name: str) -> None:
        if name.startswith("second"):
            (job_dir / name / "trial.log").unlink()
            (job_dir / name / "trial.log").symlink_to("/dev/full")

    with pytest.raises(DiskFullError, match="make room"):
        run_job(tasks, lambda: Scripted([], fills), job_dir, concurrency=1, client=engine)
    assert left(engine, job_dir) == []
    runs: list[str] = []
    assert [t.reward for t in run_job(tasks, lambda: Scripted(runs), job_dir, client=engine).trials] == [1, 1]
    assert [name[:6] for name in runs] == ["second"]


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_a_runner_that_is_not_let_finish_leaves_nothing_after_the_next_start(engine, tasks, job_dir, by):
    command = [sys.executable, "-c", SLOW, str(job_dir), *(str(task.path) for task in tasks)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "working\n"
        while process.poll() is None:  # SIGINT twice, and more often
            process.send_signal(by)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
    runs: list[str] = []
    slow = lambda: Named(runs)  # noqa: E731
    result = run_job(tasks, slow, job_dir, client=engine)
    assert [name[:6] for name in runs] == ["second"]
    assert [trial.reward for trial in result.trials] == [0, 1]
    assert left(engine, job_dir) == []


class Named(Scripted):
    """What the interrupted program's agent is called."""

    name = "slow"
