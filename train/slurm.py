"""A run as a Slurm job: the script is rendered, kept in the run directory, and handed to sbatch.

The job runs the words that were typed, with `launcher.kind=local` and the run directory added, once per
process. slurm/README.md tells how it is stopped, continued and followed.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import yaml

from terminal_lego import json_files
from terminal_lego.errors import ConfigError
from train import provenance, run_directory
from train.config import TrainConfig

TEMPLATE = Path(__file__).resolve().parent.parent / "slurm" / "train.sbatch.jinja"

FOLDER = "slurm"
"""In the run directory: train.sbatch, jobs.jsonl (id, time, words of each submission), <job id>.log."""


def launch(config: TrainConfig, words: Sequence[str]) -> None:
    """Submits the run and tells how to follow it; with `launcher.dry_run` prints what would be submitted.

    Args:
        words: the settings as typed, `key=value` each.

    Raises ConfigError when there is no sbatch, or sbatch refuses the job.
    """
    if other := other_gpus(config):
        print(other, file=sys.stderr)
    if config.launcher.dry_run:
        config = replace(config, run_dir=config.run_dir or str(_example(config)))
        print(script(config, words))
        print("# The settings:")
        print(yaml.safe_dump(provenance.masked(asdict(config)), sort_keys=False))
        return
    config = replace(config, run_dir=str(run_directory.reserve(config)))
    job = submit(config, words)
    print(f"Job {job} is submitted. Run directory: {config.run_dir}")
    print(f"  read:   tail -F {shlex.quote(str(_log(config, job)))}")
    print(f"  state:  squeue --jobs {job}")
    print(f"  stop:   scancel {job}")


def submit(config: TrainConfig, words: Sequence[str]) -> str:
    """Writes the script to `config.run_dir` and submits it; returns the job's id. Raises ConfigError."""
    text = script(config, words)
    folder = _folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "train.sbatch"
    json_files.write_whole(path, text)
    environment = {key: value for key, value in os.environ.items() if not _stays_here(key)}
    command = ["sbatch", "--parsable", str(path)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    except FileNotFoundError:
        raise ConfigError(
            "launcher=slurm needs Slurm's sbatch, which is not installed here: "
            "type this on a machine that submits to the cluster, or leave launcher=slurm out."
        ) from None
    if done.returncode != 0:
        raise ConfigError(
            f"sbatch refused the job ({_reason(done.stderr)}): change launcher.*; the script is {path}."
        )
    job = done.stdout.strip().partition(";")[0]
    record = {
        "job": job,
        "submitted": datetime.now(UTC).isoformat(timespec="seconds"),
        "typed": provenance.masked_words(words),
    }
    json_files.append_line(folder / "jobs.jsonl", record)
    return job


def script(config: TrainConfig, words: Sequence[str]) -> str:
    """The text that sbatch gets. `config.run_dir` is set. Raises ConfigError."""
    from jinja2 import Environment, StrictUndefined

    template = Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    return template.from_string(TEMPLATE.read_text()).render(
        options=[shlex.join([option]) for option in sbatch_options(config)],
        run=shlex.quote(str(_run(config))),
        setup=config.launcher.setup,
        srun=shlex.join([*_srun_options(config), *_command(config, words)]),
        requeue=config.launcher.requeue,
    )


def other_gpus(config: TrainConfig) -> str | None:
    """What to say when the job will have another number of processes than its plan counts GPUs."""
    planned, started = config.hardware.gpus, tasks_per_node(config) * config.parallel.nodes
    if not planned or started == planned:
        return None
    return (
        f"The plan counts with {planned} GPUs ({config.hardware.name}), but this job starts {started} "
        f"process{'' if started == 1 else 'es'}: ask for as many with launcher.gres and parallel.nodes or a "
        "profile (slurm/README.md), or name the hardware that it will have."
    )


def sbatch_options(config: TrainConfig) -> list[str]:
    """What the job asks Slurm for, as sbatch's options."""
    launcher, parallel = config.launcher, config.parallel
    asked = {
        "job-name": _name(config),
        # Two jobs of one run never write to its directory at once: the name is the run's own.
        "dependency": "singleton",
        "nodes": parallel.nodes,
        "ntasks-per-node": tasks_per_node(config),
        "time": launcher.minutes,
        "partition": launcher.partition,
        "account": launcher.account,
        "qos": launcher.qos,
        "gres": launcher.gres,
        "constraint": launcher.constraint,
        "cpus-per-task": launcher.cpus,
        "mem": None if launcher.memory_gb is None else f"{launcher.memory_gb}G",
        "signal": f"B:USR2@{launcher.notice}",
        "output": str(_folder(config)).replace("%", "%%") + "/%j.log",
        "open-mode": "append",
    }
    options = [f"--{key}={value}" for key, value in asked.items() if value is not None]
    return [*options, "--requeue" if launcher.requeue else "--no-requeue", *launcher.options]


def tasks_per_node(config: TrainConfig) -> int:
    """Processes on each node: `parallel.processes`, else one per GPU of `launcher.gres`, else one.

    Raises ConfigError when there are more processes than GPUs.
    """
    gpus, processes = gpus_of(config.launcher.gres), config.parallel.processes
    if gpus is not None and processes is not None and processes > gpus:
        raise ConfigError(
            f"parallel.processes={processes} are more than the GPUs of launcher.gres={config.launcher.gres}: "
            "make them the same."
        )
    return processes or gpus or 1


def gpus_of(gres: str | None) -> int | None:
    """GPUs in an option like gpu:8 or gpu:big:4,disk:1; None when it names none."""
    for part in (gres or "").split(","):
        kind, *rest = part.partition("(")[0].split(":")
        if kind == "gpu":
            return int(rest[-1]) if rest and rest[-1].isdigit() else 1
    return None


def environment_from_slurm(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT of one of srun's tasks.

    Empty for a process that srun did not start, that it started alone, or that has a RANK from elsewhere.
    """
    world = int(environment.get("SLURM_STEP_NUM_TASKS", 1))
    if world == 1 or "RANK" in environment:
        return {}
    return {
        "RANK": environment["SLURM_PROCID"],
        "WORLD_SIZE": str(world),
        "LOCAL_RANK": environment["SLURM_LOCALID"],
        "LOCAL_WORLD_SIZE": str(world // int(environment["SLURM_STEP_NUM_NODES"])),
        "MASTER_ADDR": environment.get("MASTER_ADDR") or first_host(environment["SLURM_STEP_NODELIST"]),
        "MASTER_PORT": environment.get("MASTER_PORT") or _port(environment["SLURM_JOB_ID"]),
    }


def _port(job: str) -> str:
    """The same for all tasks of a job, another for the next job, below those that systems give away."""
    return str(10_000 + int(job) % 20_000)


def first_host(nodes: str) -> str:
    """The first name in Slurm's short form of a list: n[007-009,12],m1 begins with n007.

    Not asked of scontrol, which a container does not have.
    """
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])+", nodes)
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", first[0]) if first else nodes


def job_words(words: Sequence[str], run: Path) -> list[str]:
    """`words` as the job gets them: nothing about launching, the run directory fixed."""
    kept = [word for word in words if not re.match(r"[+~]*(?:launcher\b|run_dir\b)", word)]
    return [*kept, "launcher.kind=local", f"run_dir={_quoted(str(run))}"]


def _command(config: TrainConfig, words: Sequence[str]) -> list[str]:
    python = "python" if config.launcher.container else sys.executable
    return [python, "-m", "train", *_config_folders(), *job_words(words, _run(config))]


def _config_folders() -> list[str]:
    """`--config-dir` as it was typed, so that the job finds the recipes and blocks that lie there."""
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return []
    sources = HydraConfig.get().runtime.config_sources
    return [f"--config-dir={source.path}" for source in sources if source.provider == "command-line"]


def _srun_options(config: TrainConfig) -> list[str]:
    """A process that fails ends the others, which would wait for it; one that finishes does not."""
    launcher = config.launcher
    options = ["--kill-on-bad-exit=1", "--wait=0"]
    if launcher.cpus:
        options.append(f"--cpus-per-task={launcher.cpus}")  # srun does not take it over from sbatch
    if launcher.container:
        here = str(Path.cwd())
        mounts = dict.fromkeys([here, str(_run(config)), *launcher.mounts])
        options += [
            f"--container-image={launcher.container}",
            f"--container-workdir={here}",
            "--container-mounts=" + ",".join(m if ":" in m else f"{m}:{m}" for m in mounts),
        ]
    return options


def _example(config: TrainConfig) -> Path:
    """A run directory as `run_directory.reserve` would give it, with TIME for the time: one for each job."""
    from hydra.core.hydra_config import HydraConfig

    number = HydraConfig.get().job.get("num") if HydraConfig.initialized() else None
    suffix = f"_{number + 1}" if number else ""
    return run_directory.RUNS.resolve() / (config.recipe or "custom") / f"TIME{suffix}"


def _name(config: TrainConfig) -> str:
    return f"{config.recipe or 'custom'}-{sha256(str(_run(config)).encode()).hexdigest()[:8]}"


def _run(config: TrainConfig) -> Path:
    return Path(str(config.run_dir)).expanduser().resolve()


def _folder(config: TrainConfig) -> Path:
    return _run(config) / FOLDER


def _log(config: TrainConfig, job: str) -> Path:
    return _folder(config) / f"{job}.log"


def _quoted(value: str) -> str:
    """As Hydra reads it: in quotes where it holds anything that means something there."""
    if re.fullmatch(r"[\w./@+-]+", value, re.ASCII):
        return value
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", value)
    trailing = re.search(r"\\*$", escaped)
    return f"'{escaped}{trailing[0] if trailing else ''}'"


def _stays_here(key: str) -> bool:
    """Whether a job must not inherit the variable.

    Those of a job we are in would override what the script asks for; Hydra's is set by `train.__main__` for
    its own process, and would turn the sentence of an error into a traceback.
    """
    of_a_job = key.startswith(("SLURM_", "SLURMD_", "SRUN_")) and key != "SLURM_CONF"
    return of_a_job or key == "HYDRA_FULL_ERROR"


def _reason(printed: str) -> str:
    lines = [re.sub(r"^sbatch: (?:error: |fatal: )?", "", line.strip()) for line in printed.splitlines()]
    return "; ".join(line.rstrip(".") for line in lines if line) or "it gave no reason"
