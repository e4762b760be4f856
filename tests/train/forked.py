"""A small training in real processes, started in no time: the processes are forks.

A process that has imported torch, TRL and the like, and done nothing with them, runs `launch.run` for each
start; where that would start `python -m <module> <words>`, it forks and runs the module. As under
`srun --kill-on-bad-exit`, a process that ends with any status but 0 has the others killed at once.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, Self

from terminal_lego.json_files import read_lines
from train import launch

ROOT = Path(__file__).parents[2]
IMPORTED = ("deepspeed", "transformers.models.qwen3.modeling_qwen3", "trl.trainer.sft_trainer")
TIMES = ("train/tokens_per_second", "train/mfu")


class Starter:
    """The process that forks, for as long as the context lasts.

    Attributes:
        pid: its own. It passes signals on to what it has started, as `python -m train` does.
        said: the file with what the main process of the last start had to say.
    """

    def __init__(self, folder: Path) -> None:
        self.said = folder / "said"
        with self.said.open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.train.forked"],
                cwd=ROOT,
                env=os.environ | {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu", "TMPDIR": str(folder)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        self.pid = self._process.pid

    def begin(self, module: str, words: Sequence[str], count: int, logs: Path) -> None:
        """`launch.run` of `python -m module words` in `count` processes."""
        self.said.write_text("")
        print(json.dumps([module, list(words), count, str(logs)]), file=self._process.stdin, flush=True)

    def until(self, happened: Callable[[], bool]) -> None:
        """Waits for it while the start goes on."""
        while not happened():
            ended, _, _ = select.select([self._process.stdout], [], [], 0.01)
            assert not ended, self.said.read_text()

    def status(self) -> int:
        """Waits for it."""
        answer = self._process.stdout.readline()
        assert answer, self.said.read_text()
        return int(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # and with it what it has started
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


class Training:
    """A folder in which starts of one training leave what they have.

    Attributes:
        asked: settings of `tests.train.killed`.
    """

    def __init__(self, folder: Path, starter: Starter, **asked: Any) -> None:
        self.folder, self.starter, self.asked = folder, starter, asked
        folder.mkdir(parents=True, exist_ok=True)

    def begin(self, count: int = 2, **more: Any) -> None:
        words = [str(self.folder), json.dumps(self.asked | more)]
        self.starter.begin("tests.train.killed", words, count, self.folder / "logs")

    def start(self, count: int = 2, **more: Any) -> int:
        """The exit status."""
        self.begin(count, **more)
        return self.starter.status()

    @property
    def curve(self) -> dict[int, dict[str, float]]:
        """What was logged of each step, of one that was done twice the later time; without times."""
        curve: dict[int, dict[str, float]] = {}
        for record in read_lines(self.folder / "logged.jsonl"):
            kept = (key for key in record if key.startswith("train/") and key not in TIMES)
            curve.setdefault(record["step"], {}).update({key: record[key] for key in kept})
        return dict(sorted(curve.items()))

    @property
    def weights(self) -> dict[str, Any]:
        from safetensors.torch import load_file

        return load_file(self.folder / "student" / "model.safetensors")

    @property
    def checkpoints(self) -> dict[int, bool]:
        """Whether each is complete, by step."""
        found = (self.folder / "student" / "checkpoints").glob("checkpoint-*")
        return {int(path.name.split("-")[1]): (path / "complete.json").exists() for path in found}

    def calls(self, rank: int) -> dict[str, int]:
        """How many each stage of it had, in a start that was not killed."""
        return json.loads((self.folder / f"calls-{rank}").read_text())


class Fork:
    """What `launch.run` takes for a `subprocess.Popen`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: dict[str, str],
        stdout: IO[bytes] | None,
        preexec_fn: Callable[[], None],
        **_: object,
    ) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid:
            return
        preexec_fn()
        for number in (signal.SIGTERM, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if stdout is not None:
            os.dup2(stdout.fileno(), 1)
            os.dup2(stdout.fileno(), 2)
        os.environ.clear()
        os.environ.update(env)
        from wandb.sdk.data_types._private import MEDIA_TMP

        MEDIA_TMP.__init__("wandb-media")  # of its own: the first fork that ends removes the common one
        _, _, module, *words = command
        sys.argv = [module, *words]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        raise SystemExit

    def poll(self) -> int | None:
        if self.returncode is None:
            gone, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if gone else None
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def main() -> None:
    """Starts what each line of the input names, and answers with its status."""
    for module in IMPORTED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a fork that looks for garbage among all this would copy it
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    launch.GRACE, launch.NO_FAILURE = 0.0, (0,)
    launch.subprocess = SimpleNamespace(Popen=Fork, DEVNULL=subprocess.DEVNULL)
    for line in sys.stdin:
        module, words, count, logs = json.loads(line)
        status = launch.run([sys.executable, "-m", module, *words], count, Path(logs))
        print(status, file=answers, flush=True)


if __name__ == "__main__":
    main()
