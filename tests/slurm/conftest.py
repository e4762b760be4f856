"""A Slurm of one machine, in a folder of its own, for as long as the tests run."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel")
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
PATIENCE = 180
SETTINGS = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SwitchType=switch/none
SchedulerParameters=sched_interval=1
ReturnToService=2
KillWait=60
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 RealMemory={megabytes} State=UNKNOWN
PartitionName=short Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker("slurm")


@dataclass(frozen=True)
class Cluster:
    """What its user can do; `environment` is what a command needs to find it."""

    environment: dict[str, str]

    def run(self, *words: str, folder: Path = ROOT) -> subprocess.CompletedProcess:
        return subprocess.run(words, cwd=folder, env=self.environment, capture_output=True, text=True)

    def train(self, *words: str, folder: Path) -> subprocess.CompletedProcess:
        return self.run(sys.executable, "-m", "train", *words, folder=folder)

    def job(self, number: str) -> dict[str, str]:
        """Slurm's own account of a job: JobState, Restarts, ExitCode, Reason ..."""
        shown = self.run("scontrol", "show", "job", "--oneliner", number).stdout
        return dict(word.split("=", 1) for word in shown.split() if "=" in word)

    def until(self, number: str, *states: str) -> dict[str, str]:
        """Waits until the job is in one of `states`, or has ended in another."""
        job = waiting(lambda: (job := self.job(number)).get("JobState") in (*states, *ENDED) and job)
        assert job["JobState"] in states, Path(job["StdOut"]).read_text()
        return job

    def ended(self, number: str) -> dict[str, str]:
        return self.until(number, *ENDED)

    def notice(self, number: str) -> None:
        """What Slurm does when the time limit is near: sbatch --signal=B:USR2."""
        self.run("scancel", "--batch", "--signal=USR2", number)

    def start_again(self, number: str) -> None:
        """Shortens the two minutes that Slurm holds a requeued job back.

        Not to nothing: the node takes a start within the second of the kill for a leftover of before.
        """
        self.until(number, "PENDING")
        self.run("scontrol", "update", f"JobId={number}", "StartTime=now+3")


def waiting(look: Callable):
    """What `look` gives once that is true."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, f"nothing came of {PATIENCE} seconds of waiting"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="session")
def daemons() -> Iterator[dict[str, str]]:
    os_path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    absent = [name for name in PROGRAMS if not shutil.which(name, path=os_path)]
    if absent:
        pytest.skip(f"{', '.join(absent)} not found: scripts/test_tools.sh installs Slurm")
    if os.geteuid() != 0:
        pytest.skip("the Slurm of the tests is started by root")
    # Not below pytest's folders: a socket's path is short, and every user may go there.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    for part in ("munge", "state", "spool"):
        (folder / part).mkdir(mode=0o711)
    settings = folder / "slurm.conf"
    settings.write_text(SETTINGS.format(folder=folder, megabytes=_megabytes(), **_free_ports()))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "SBATCH"))}
    environment |= {"PATH": os_path, "PYTHONPATH": str(ROOT), "SLURM_CONF": str(settings)}
    try:
        with ExitStack() as stack:
            munge = folder / "munge"
            (munge / "key").write_bytes(os.urandom(128))
            (munge / "key").chmod(0o600)
            places = {
                "socket": "socket",
                "key-file": "key",
                "pid-file": "pid",
                "log-file": "log",
                "seed-file": "seed",
            }
            options = [f"--{option}={munge / name}" for option, name in places.items()]
            stack.enter_context(_running(folder, environment, "munged", "--foreground", "--force", *options))
            waiting((munge / "socket").exists)
            stack.enter_context(_running(folder, environment, "slurmctld", "-D"))
            stack.enter_context(_running(folder, environment, "slurmd", "-D", "-N", "localhost"))
            cluster = Cluster(environment)
            waiting(lambda: cluster.run("sinfo", "--noheader", "--format=%T").stdout.strip() == "idle")
            yield environment
            cluster.run("scancel", "--full", "--signal=KILL", "--user=root")
            cluster.run("scancel", "--user=root")
            waiting(lambda: not cluster.run("squeue", "--noheader").stdout)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cluster(daemons: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The running Slurm, for commands and for what the test calls itself."""
    for key in ("PATH", "PYTHONPATH", "SLURM_CONF"):
        monkeypatch.setenv(key, daemons[key])
    return Cluster(os.environ | daemons)


@contextmanager
def _running(folder: Path, environment: dict[str, str], name: str, *options: str) -> Iterator[None]:
    with (folder / f"{name}.log").open("wb") as log:
        command = [shutil.which(name, path=environment["PATH"]), *options]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _free_ports() -> dict[str, int]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return {"controller": one.getsockname()[1], "node": other.getsockname()[1]}


def _megabytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
