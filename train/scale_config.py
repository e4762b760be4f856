"""Settings of a run's size: which weights are trained, by how many processes, where, and on what."""

from dataclasses import dataclass, field

from terminal_lego.errors import ConfigError
from train.checks import above_zero, at_least, one_of, share

TUNING = ("full", "lora", "qlora")
ENGINES = ("ddp", "zero1", "zero2", "zero3", "fsdp2")
LAUNCHERS = ("local", "slurm")


@dataclass
class TuningConfig:
    """Which weights are trained.

    Attributes:
        method: full (all of them), lora (adapters of low rank), or qlora (the same on 4-bit weights).
        rank, alpha, dropout: of the adapters.
        targets: modules that get an adapter: names, or ["all-linear"].
    """

    method: str = "full"
    rank: int = 32
    alpha: int = 64
    dropout: float = 0.0
    targets: list[str] = field(default_factory=lambda: ["all-linear"])

    def __post_init__(self) -> None:
        one_of("tuning.method", self.method, TUNING)
        at_least("tuning.rank", self.rank, 1)
        above_zero("tuning.alpha", self.alpha)
        share("tuning.dropout", self.dropout)
        if not self.targets:
            raise ConfigError("tuning.targets is empty: name modules, or [all-linear].")


@dataclass
class ParallelConfig:
    """How many processes train together, and what they share.

    Attributes:
        processes: on each node; null for one per GPU, one without.
        nodes: machines.
        engine: ddp (each has all weights), zero1, zero2, zero3 (DeepSpeed shares out optimiser state,
            gradients, weights), or fsdp2 (GPUs only).
        offload: keep optimiser state in the machine's memory (zero2, zero3).
        sequence_parallel: processes that share one sequence (DeepSpeed Ulysses; zero3).
    """

    processes: int | None = None
    nodes: int = 1
    engine: str = "ddp"
    offload: bool = False
    sequence_parallel: int = 1

    def __post_init__(self) -> None:
        one_of("parallel.engine", self.engine, ENGINES)
        for key in ("processes", "nodes", "sequence_parallel"):
            at_least(f"parallel.{key}", getattr(self, key), 1)
        if self.offload and self.engine not in ("zero2", "zero3"):
            raise ConfigError(
                f"parallel.offload=true needs DeepSpeed's zero2 or zero3, not parallel.engine={self.engine}."
            )
        if self.sequence_parallel > 1 and self.engine != "zero3":
            raise ConfigError(
                f"parallel.sequence_parallel={self.sequence_parallel} needs parallel.engine=zero3, "
                f"not {self.engine}."
            )


@dataclass
class LauncherConfig:
    """Where the run happens.

    Attributes:
        kind: local (here), or slurm (submitted with sbatch).
        dry_run: print the script and the settings instead of submitting.
        partition, account, qos, constraint: as sbatch takes them; null leaves one out.
        gres: of one node, as sbatch takes it, such as gpu:8.
        minutes: time limit of one job; with requeue the run goes on in the next.
        notice: seconds before that limit at which the run is told to save and stop.
        cpus: of one process.
        memory_gb: of one node; 0 for all it has.
        options: further options of sbatch, such as --exclusive.
        container: an image for srun's --container-image (pyxis).
        mounts: folders the container sees beside the present one and the run directory.
        setup: shell lines before the run: modules, a virtual environment, variables.
        requeue: let Slurm start the job again after preemption or the time limit.
    """

    kind: str = "local"
    dry_run: bool = False
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    gres: str | None = None
    constraint: str | None = None
    minutes: int = 1440
    notice: int = 300
    cpus: int | None = None
    memory_gb: int | None = None
    options: list[str] = field(default_factory=list)
    container: str | None = None
    mounts: list[str] = field(default_factory=list)
    setup: list[str] = field(default_factory=list)
    requeue: bool = True

    def __post_init__(self) -> None:
        one_of("launcher.kind", self.kind, LAUNCHERS)
        for key in ("minutes", "notice", "cpus"):
            at_least(f"launcher.{key}", getattr(self, key), 1)
        at_least("launcher.memory_gb", self.memory_gb, 0)
        if self.notice >= 60 * self.minutes:
            raise ConfigError(
                f"launcher.notice={self.notice} seconds leave no time to train in launcher.minutes="
                f"{self.minutes}: lower launcher.notice or raise launcher.minutes."
            )
        for key in ("partition", "account", "qos", "gres", "constraint", "container"):
            value = getattr(self, key)
            if value is not None and (not value or any(letter.isspace() for letter in value)):
                raise ConfigError(f"launcher.{key}={value!r} is empty or has a space: give a name, or null.")
        for option in self.options:
            if not option.startswith("-") or "\n" in option:
                raise ConfigError(
                    f"launcher.options={option!r} is no option of sbatch: write it as --name=value."
                )
        if self.mounts and not self.container:
            raise ConfigError("launcher.mounts is for a container: set launcher.container, or mounts to [].")


@dataclass
class HardwareConfig:
    """What the plan counts with; nothing else depends on it.

    Attributes:
        name: as shown; null for the machine at hand.
        gpus: in all; 0 for none, then no time is planned.
        memory_gib: of one GPU; 0 when not known.
        tflops: dense bf16 peak of one GPU, in 10^12 operations per second; 0 when not known.
        utilisation: share of that peak that model FLOPs (causal) are expected to reach.
        price: of one GPU-hour, in `currency`; null shows no cost.
    """

    name: str | None = None
    gpus: int = 0
    memory_gib: float = 0.0
    tflops: float = 0.0
    utilisation: float = 0.3
    price: float | None = None
    currency: str = "USD"

    def __post_init__(self) -> None:
        for key in ("gpus", "memory_gib", "tflops", "price"):
            at_least(f"hardware.{key}", getattr(self, key), 0)
        above_zero("hardware.utilisation", self.utilisation)
        share("hardware.utilisation", self.utilisation)
