"""Times whole trials on a trivial task, beside the same trial in bare calls of the Docker SDK.

`python -m bench.harness` prints Markdown and leaves it in bench/results.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.measuring import alone, processor
from bench.tables import table

TASK = Path(__file__).parent / "trivial_task"
RESULTS = Path(__file__).parent / "results"
LABEL = "terminal-lego.bench"
BARE, ORACLE, TERMINUS = "bare SDK calls", "oracle", "terminus-2, four turns"

REFERENCE = {
    (ORACLE, 1): (14.2, 4.0, 5.0, 163),
    (ORACLE, 8): (22.9, 18.7, 4.4, 666),
    (TERMINUS, 1): (17.8, 2.9, 10.6, 336),
    (TERMINUS, 8): (38.3, 11.1, 8.0, 837),
}
"""Harbor 0.25.0: seconds per trial, trials per minute, processor seconds of the machine per trial, MB."""

CONDITIONS = (
    "Harbor 0.25.0 ran on an idle machine of this kind (2 cores, Debian 12, Docker 20.10) a task of this "
    "kind, 3 and 2 trials in a row and 16 at 8 at once; the start of its process counts in trials per minute."
)


@dataclass(frozen=True)
class Figures:
    """`processor`: seconds of the whole machine per trial, less what it used before; `peak_bytes`: of the
    runner and its children."""

    trial: float
    per_minute: float
    processor: float
    peak_bytes: int


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.harness", description=__doc__)
    parser.add_argument("--alone", type=int, default=5, help="trials of each kind, one after another")
    parser.add_argument("--at-once", type=int, default=32, help="trials of each kind, eight at once")
    parser.add_argument("--simulated", type=int, default=10_000, help="trials without a container")
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    lines = []
    for line in report(chosen.alone, chosen.at_once, chosen.simulated):
        print(line, flush=True)
        lines.append(line)
    file = chosen.results / f"{datetime.now(UTC):%Y-%m-%d}-harness.md"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def report(alone_count: int, at_once: int, simulated: int) -> Iterator[str]:
    idle = _idle_rate()
    yield f"# {datetime.now(UTC):%Y-%m-%d}, trials"
    yield ""
    yield (
        f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}, docker {version('docker')}; load at the start "
        f"{os.getloadavg()[0]:.1f}, {idle:.2f} cores busy with other things. "
        f"{alone_count} trials in a row, {at_once} at 8 at once."
    )
    yield ""
    rows = []
    for kind in (BARE, ORACLE, TERMINUS):
        for concurrency, count in ((1, alone_count), (8, at_once)):
            rows.append(_row(kind, concurrency, measure(kind, concurrency, count)))
    yield from table(
        (
            "",
            "at once",
            "seconds per trial",
            "trials per minute",
            "processor s per trial",
            "memory, MB",
            "Harbor 0.25.0: s",
            "per minute",
            "processor s",
            "MB",
        ),
        rows,
    )
    yield CONDITIONS
    yield ""
    yield from _simulated(simulated)


def _row(kind: str, concurrency: int, found: Figures) -> tuple[str, ...]:
    reference = REFERENCE.get((kind, concurrency), ("", "", "", ""))
    return (
        kind,
        str(concurrency),
        f"{found.trial:.2f}",
        f"{found.per_minute:.1f}",
        f"{found.processor:.2f}",
        f"{found.peak_bytes / 1e6:.0f}",
        *map(str, reference),
    )


def measure(kind: str, concurrency: int, count: int) -> Figures:
    """Runs `count` trials in a fresh process, once its modules are loaded and the image is known."""
    idle = _idle_rate()
    done = alone(_bare if kind == BARE else _job, kind, concurrency, count)
    trial, wall, busy = done.result
    return Figures(trial, 60 * count / wall, max(busy - idle * wall, 0) / count, done.peak_bytes)


def _job(kind: str, concurrency: int, count: int) -> tuple[float, float, float]:
    from terminal_lego.harness.agents.oracle import Oracle
    from terminal_lego.harness.agents.terminus2 import Terminus2
    from terminal_lego.harness.clients.scripted import ScriptedClient
    from terminal_lego.harness.engine import connect
    from terminal_lego.harness.job import run_job
    from terminal_lego.task import read_task

    task = read_task(TASK)
    make = {ORACLE: Oracle, TERMINUS: lambda: Terminus2(ScriptedClient(_script))}[kind]
    with tempfile.TemporaryDirectory() as folder, closing(connect()) as client:
        run_job([task], make, Path(folder) / "first", client=client)
        with _clocks() as clocks:
            job = run_job(
                [task], make, Path(folder) / "job", attempts=count, concurrency=concurrency, client=client
            )
    unsolved = [trial.exception_type for trial in job.trials if trial.reward != 1]
    if unsolved or len(job.trials) != count:
        raise RuntimeError(f"{len(unsolved)} of {count} trials were not solved: {unsolved}")
    return sum(trial.seconds for trial in job.trials) / count, *clocks


def _script(messages: list[dict[str, str]]) -> str:
    """One command, one command, one command with the end declared, the confirmation; 0.3 s of waiting."""
    turn = sum(message["role"] == "assistant" for message in messages)
    commands = ["ls\n", "cat numbers.txt\n", "awk '{ s += $1 } END { print s }' numbers.txt > sum.txt\n"]
    typed = [{"keystrokes": text, "duration": 0.1} for text in commands[turn : turn + 1]]
    return json.dumps({"analysis": "", "plan": "", "commands": typed, "task_complete": turn >= 2})


def _bare(kind: str, concurrency: int, count: int) -> tuple[float, float, float]:
    from terminal_lego.harness.archive import pack
    from terminal_lego.harness.engine import BASE_IMAGE, connect, ensure_image

    def trial(_: int) -> float:
        began = time.perf_counter()
        container = client.containers.create(
            BASE_IMAGE,
            ["sleep", "infinity"],
            network_mode="none",
            nano_cpus=10**9,
            mem_limit="512m",
            labels=[LABEL],
        )
        try:
            container.start()
            with pack(
                {"/app": TASK / "environment", "/solution": TASK / "solution", "/tests": TASK / "tests"}
            ) as tar:
                container.put_archive("/", tar)
            container.exec_run("/solution/solve.sh")
            container.exec_run(["bash", "-c", "mkdir -p /logs/verifier && /tests/test.sh"])
            chunks, _ = container.get_archive("/logs/verifier/reward.txt")
            if b"\n1\n" not in b"\n" + b"".join(chunks).replace(b"\0", b"\n"):
                raise RuntimeError("a bare trial was not solved")
        finally:
            container.remove(force=True)
        return time.perf_counter() - began

    with closing(connect()) as client, ThreadPoolExecutor(concurrency) as pool:
        ensure_image(client)
        trial(0)
        with _clocks() as clocks:
            seconds = list(pool.map(trial, range(count)))
    return sum(seconds) / count, *clocks


@contextmanager
def _clocks() -> Iterator[list[float]]:
    """Gives a list that gets the seconds passed, and the seconds all cores were busy."""
    clocks: list[float] = []
    began, busy = time.perf_counter(), _busy()
    yield clocks
    clocks += [time.perf_counter() - began, _busy() - busy]


def _idle_rate(seconds: float = 2) -> float:
    """How many cores are busy with something else."""
    before = _busy()
    time.sleep(seconds)
    return (_busy() - before) / seconds


def _busy() -> float:
    """Seconds the machine's cores have worked: user, nice, system, interrupts."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
    return sum(ticks[index] for index in (0, 1, 2, 5, 6)) / os.sysconf("SC_CLK_TCK")


class NoSandbox:
    """Stands for a container, and rewards everything."""

    id, workdir, user = "none", "/app", ""

    def __init__(self, *_: object, **__: object):
        pass

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *_, **__: None

    def was_killed_for_memory(self) -> bool:
        return False

    def exec(self, command: str, **_: object) -> Any:
        from terminal_lego.harness.sandbox import ExecResult

        return ExecResult(0, "")

    def download_logs(self, trial_dir: Path) -> None:
        (trial_dir / "verifier").mkdir(exist_ok=True)
        (trial_dir / "verifier" / "reward.txt").write_text("1\n")


def simulate(count: int) -> float:
    """Runs a job of so many trials without containers; returns its seconds."""
    from terminal_lego.harness.agents.nop import Nop
    from terminal_lego.harness.job import run_job
    from terminal_lego.task import read_task

    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("terminal_lego.harness.trial.DockerSandbox", NoSandbox),
        patch("terminal_lego.harness.job.remove_leftovers"),
    ):
        job = run_job([read_task(TASK)], Nop, Path(folder), attempts=count, concurrency=8, client=NoSandbox())
        solved = sum(trial.reward == 1 for trial in job.trials)
    if solved != count:
        raise RuntimeError(f"{solved} of {count} simulated trials came out")
    return time.perf_counter() - began


def _simulated(count: int) -> Iterator[str]:
    few = max(count // 10, 1)
    rows = []
    for number in (few, count):
        done = alone(simulate, number)
        rows.append((f"{number:,}", f"{number / done.result:.0f}", f"{done.peak_bytes / 1e6:.0f}"))
    yield from table(("trials without a container, 8 at once", "per second", "peak memory, MB"), rows)


if __name__ == "__main__":
    main()
