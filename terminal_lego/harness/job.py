"""Many trials, several at once, in a directory that can be resumed."""

import errno
import hashlib
import re
import shutil
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from terminal_lego.errors import (
    AddTestsDirError,
    ConfigError,
    DiskFullError,
    DownloadVerifierDirError,
    EngineUnavailableError,
    SandboxError,
)
from terminal_lego.harness.agents import Agent
from terminal_lego.harness.engine import answers, connect_all
from terminal_lego.harness.job_record import exclusive, job_config, open_job, write_job_result
from terminal_lego.harness.record import TrialResult, TrialSettings, now, read_result
from terminal_lego.harness.sandbox import remove_leftovers
from terminal_lego.harness.support import check_supported
from terminal_lego.harness.trial import run_trial
from terminal_lego.task import Task

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["JobResult", "TrialSettings", "run_job"]

PATIENCE_SECONDS = 30
ENGINE_SECONDS = 120
"""How long a job waits for an engine that stopped answering."""

WRITE_SECONDS = 1.0
"""Between two summaries of a running job."""

LOST = {error.__name__ for error in (SandboxError, AddTestsDirError, DownloadVerifierDirError)}
"""Ends of a trial whose container was lost."""


@dataclass(frozen=True)
class JobResult:
    """`trials` are the finished ones in planned order: all attempts 1, then all attempts 2 …"""

    path: Path
    n_planned: int
    trials: list[TrialResult]

    @property
    def infrastructure_errors(self) -> list[TrialResult]:
        return [trial for trial in self.trials if trial.is_infrastructure_error]


def trial_name(task: Task, attempt: int) -> str:
    """The same trial has the same name in every run: task, then a hash of task name, checksum and attempt."""
    short = re.sub(r"[^\w.-]", "-", task.name.rpartition("/")[2])[:32]
    digest = hashlib.sha256(f"{task.name}\0{task.checksum}\0{attempt}".encode()).hexdigest()
    return f"{short}__{digest[:7]}"


def run_job(
    tasks: Sequence[Task],
    make_agent: Callable[[], Agent],
    job_dir: Path,
    *,
    attempts: int = 1,
    concurrency: int = 4,
    settings: TrialSettings | None = None,
    only: Collection[str] | None = None,
    enough: Callable[[], bool] = lambda: False,
    on_trial: Callable[[TrialResult], None] | None = None,
    stop: threading.Event | None = None,
    client: "DockerClient | None" = None,
) -> JobResult:
    """Run every attempt at every task, or what is missing of it.

    Trials that finished without an infrastructure error are kept, the others run again. A trial that loses
    its container is run once more as soon as the engine answers. Ctrl-C and SIGTERM remove the containers,
    keep the finished trials and raise KeyboardInterrupt; so does the next run when they come twice.

    Args:
        make_agent: called once per trial, and once to describe the job. What an optional `config`
            attribute of the agent holds (JSON) must be equal for a job to be resumed.
        only: names of the trials to run; the others of the plan are left as they are. None for all.
        enough: asked before each trial; once it says yes, no more start, and the running ones end in peace.
        on_trial: called as each trial of this run finishes, from the thread that ran it.
        stop: once set, no more trials start, running ones are cancelled and the rest is returned.
        client: of `engine.connect`; otherwise the trials are shared out to the engines in DOCKER_HOST.

    Raises:
        TaskError: a task asks for something unsupported.
        ConfigError: the directory holds another job, or another process uses it.
        EngineUnavailableError: there is no engine to begin with, or it went away and did not come back.
        DiskFullError: as it says; what is finished is kept.
    """
    settings = settings or TrialSettings()
    for task in tasks:
        check_supported(task)
    plan = _plan(tasks, attempts)
    job_dir = Path(job_dir).absolute()
    with _naming_full_disk(job_dir), exclusive(job_dir):
        open_job(job_dir, job_config(tasks, make_agent(), attempts, settings))
        job = _Job(plan, only, enough, make_agent, job_dir, settings, on_trial, stop or threading.Event())
        job.resume()
        if job.missing:
            with _sigterm_interrupts(), nullcontext([client]) if client else connect_all() as engines:
                job.run(engines, concurrency)
        return job.result()


def _plan(tasks: Sequence[Task], attempts: int) -> dict[str, Task]:
    if len({task.name for task in tasks}) < len(tasks):
        (twice, _), *_ = Counter(task.name for task in tasks).most_common(1)
        raise ConfigError(f"Two tasks are named {twice}; a job needs names that differ.")
    return {trial_name(task, attempt): task for attempt in range(1, attempts + 1) for task in tasks}


class _Job:
    def __init__(
        self,
        plan: dict[str, Task],
        only: Collection[str] | None,
        enough: Callable[[], bool],
        make_agent: Callable[[], Agent],
        job_dir: Path,
        settings: TrialSettings,
        on_trial: Callable[[TrialResult], None] | None,
        stop: threading.Event,
    ):
        self._plan, self._make_agent, self._path = plan, make_agent, job_dir
        self._enough = enough
        self._wanted = plan.keys() if only is None else set(only)
        self._settings, self._on_trial, self._stop = settings, on_trial, stop
        self._cancelled = threading.Event()
        self._label = str(job_dir.resolve())
        self._id, self._began = str(uuid.uuid4()), now()
        self._done: dict[str, TrialResult] = {}
        self._next_write = 0.0
        self._failures: list[BaseException] = []
        self._lock = threading.Lock()

    @property
    def missing(self) -> list[str]:
        return [name for name in self._plan if name in self._wanted and name not in self._done]

    @property
    def _stopping(self) -> bool:
        return self._stop.is_set() or bool(self._failures)

    def resume(self) -> None:
        """Keep what is finished or not asked for, remove the rest."""
        for name in self._plan:
            folder = self._path / name
            found = read_result(folder)
            if found and not (name in self._wanted and found.is_infrastructure_error):
                self._done[name] = found.brief()
            elif name in self._wanted and folder.exists():
                shutil.rmtree(folder)

    def run(self, engines: "Sequence[DockerClient]", concurrency: int) -> None:
        for client in engines:
            remove_leftovers(client, self._label)
        waiting: SimpleQueue[str] = SimpleQueue()
        for name in self.missing:
            waiting.put(name)
        workers = [
            threading.Thread(target=self._work, args=(engines[number % len(engines)], waiting), daemon=True)
            for number in range(min(concurrency, waiting.qsize()))
        ]
        try:
            for worker in workers:
                worker.start()
            while any(worker.is_alive() for worker in workers) and not self._stopping:
                time.sleep(0.05)
        finally:
            if any(worker.is_alive() for worker in workers):
                self._end(engines, workers)
            self._write()
        if self._failures:
            raise self._failures[0]

    def _work(self, client: "DockerClient", waiting: SimpleQueue[str]) -> None:
        try:
            while not (self._cancelled.is_set() or self._enough()):
                name = waiting.get_nowait()
                result = self._run_trial(client, name)
                if result.exception_type in LOST and self._engine_is_back(client):
                    remove_leftovers(client, self._label, name)
                    shutil.rmtree(self._path / name)
                    result = self._run_trial(client, name)
                with self._lock:
                    self._done[name] = result.brief()
                    self._write_now_and_then()
                if self._on_trial and not self._cancelled.is_set():
                    self._on_trial(result)
        except Empty:
            return
        except BaseException as error:  # engine or disk, or the caller's own code: make_agent or on_trial
            self._failures.append(error)

    def _run_trial(self, client: "DockerClient", name: str) -> TrialResult:
        return run_trial(
            self._plan[name],
            self._make_agent(),
            self._path / name,
            self._settings,
            client=client,
            job=self._label,
            cancelled=self._cancelled,
        )

    def _engine_is_back(self, client: "DockerClient") -> bool:
        """Wait until the engine answers; False when the job is to end meanwhile."""
        limit = time.monotonic() + ENGINE_SECONDS
        while not self._cancelled.is_set():
            if answers(client):
                return True
            if time.monotonic() > limit:
                raise EngineUnavailableError(
                    f"The engine went away and did not come back within {ENGINE_SECONDS:g} s; start it and "
                    "run the same again: what is finished is kept."
                )
            self._cancelled.wait(1)
        return False

    def _end(self, engines: "Sequence[DockerClient]", workers: list[threading.Thread]) -> None:
        """Running trials lose their containers, and so end; the second round catches one just created."""
        self._cancelled.set()
        limit = time.monotonic() + PATIENCE_SECONDS
        self._remove_leftovers(engines)
        for worker in workers:
            worker.join(max(limit - time.monotonic(), 0))
        self._remove_leftovers(engines)

    def _remove_leftovers(self, engines: "Sequence[DockerClient]") -> None:
        for client in engines:
            with suppress(SandboxError):
                remove_leftovers(client, self._label)

    def _write_now_and_then(self) -> None:
        """A summary of all trials after each would cost the square of their number."""
        if time.monotonic() >= self._next_write:
            self._write()
            self._next_write = time.monotonic() + WRITE_SECONDS

    def _write(self) -> None:
        write_job_result(self._path, self._id, self._began, now(), len(self._plan), list(self._done.values()))

    def result(self) -> JobResult:
        return JobResult(self._path, len(self._plan), [self._done[n] for n in self._plan if n in self._done])


@contextmanager
def _naming_full_disk(job_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFullError(
            f"The disk of {job_dir} is full; make room and run the same again: what is finished is kept."
        ) from error


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """A batch system's SIGTERM ends a job as Ctrl-C does; only the main thread may arrange that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
