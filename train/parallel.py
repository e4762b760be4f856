"""How the processes of a run share the work: settings for the trainer, and proof of what it made of them.

A trainer that cannot do what it was asked falls back to something simpler without a word, and trains on.
`engine_that_ran` looks at the objects that hold the weights instead; `check_engine` ends such a run.
"""

from typing import TYPE_CHECKING, Any

from terminal_lego.errors import ConfigError
from train import processes
from train.config import SftConfig
from train.scale_config import ParallelConfig

if TYPE_CHECKING:
    from transformers import Trainer


def uses_deepspeed(parallel: ParallelConfig) -> bool:
    return parallel.engine.startswith("zero")


def sequences_per_step(config: SftConfig, parallel: ParallelConfig, processes: int) -> int:
    """Sequences (conversations, or packs of them) of one optimiser step in `processes` processes."""
    return config.batch_size * config.accumulation * processes // parallel.sequence_parallel


def refuse_impossible(config: SftConfig, parallel: ParallelConfig, *, processes: int, gpus: int) -> None:
    """Args:
        processes: of the whole run.
        gpus: of this machine.

    Raises ConfigError for what cannot run here.
    """
    if gpus and parallel.processes is not None and parallel.processes > gpus:
        raise ConfigError(
            f"parallel.processes={parallel.processes}, but this machine has {gpus} GPUs and each process "
            "needs one: lower it, or set it to null for one per GPU."
        )
    if parallel.engine == "fsdp2" and not gpus:
        raise ConfigError(
            "parallel.engine=fsdp2 needs GPUs (the trainer would run ddp instead): choose zero3, which runs "
            "on CPUs too."
        )
    if parallel.sequence_parallel == 1:
        return
    if processes % parallel.sequence_parallel:
        raise ConfigError(
            f"parallel.sequence_parallel={parallel.sequence_parallel} does not divide the run's {processes} "
            "processes: choose a divisor, or other parallel.processes."
        )
    if config.max_length % parallel.sequence_parallel:
        raise ConfigError(
            f"sft.max_length={config.max_length} cannot be cut into parallel.sequence_parallel="
            f"{parallel.sequence_parallel} equal pieces: choose a multiple of it."
        )


def deepspeed_settings(parallel: ParallelConfig, *, on_gpu: bool) -> dict[str, Any]:
    """DeepSpeed's JSON; the trainer fills in what is "auto" from its own arguments.

    Fields: https://www.deepspeed.ai/docs/config-json
    """
    stage = int(parallel.engine[-1])
    zero: dict[str, Any] = {
        "stage": stage,
        "overlap_comm": on_gpu,
        "contiguous_gradients": True,
        "reduce_bucket_size": "auto",
    }
    if stage == 3:
        zero |= {
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
            "stage3_gather_16bit_weights_on_model_save": True,
        }
    settings: dict[str, Any] = {
        "zero_optimization": zero,
        "train_micro_batch_size_per_gpu": "auto",
        "train_batch_size": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "bf16": {"enabled": "auto"},
        "zero_allow_untested_optimizer": True,
    }
    if parallel.offload:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": on_gpu}
        # Named here, the optimiser is DeepSpeed's own, which is made to run on the CPU.
        parameters = dict.fromkeys(("lr", "betas", "eps", "weight_decay"), "auto")
        settings["optimizer"] = {"type": "AdamW", "params": parameters}
    return settings


def trainer_arguments(parallel: ParallelConfig, *, on_gpu: bool, attention: str) -> dict[str, Any]:
    """What of TRL's SFTConfig depends on the engine.

    Args:
        attention: the model's implementation of it, flash_attention_2 or sdpa.
    """
    if parallel.engine == "fsdp2":
        return {"fsdp": True, "fsdp_config": {"fsdp_version": 2, "cpu_ram_efficient_loading": True}}
    if not uses_deepspeed(parallel):
        return {"ddp_find_unused_parameters": False}
    arguments: dict[str, Any] = {"deepspeed": deepspeed_settings(parallel, on_gpu=on_gpu)}
    if parallel.sequence_parallel > 1:
        from accelerate.parallelism_config import ParallelismConfig
        from accelerate.utils import DeepSpeedSequenceParallelConfig

        arguments["parallelism_config"] = ParallelismConfig(
            sp_size=parallel.sequence_parallel,
            sp_backend="deepspeed",
            sp_handler=DeepSpeedSequenceParallelConfig(
                sp_seq_length_is_variable=True, sp_attn_implementation=attention
            ),
        )
    return arguments


def engine_asked(parallel: ParallelConfig, processes: int) -> str:
    """`parallel` in the words of `engine_that_ran`."""
    return _words(parallel.engine, processes, parallel.offload, parallel.sequence_parallel)


def engine_that_ran(trainer: "Trainer") -> str:
    """Which engine holds the trainer's weights, such as "zero3 over 2 processes"; ask after a step."""
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    model = trainer.model_wrapped
    members = dist.get_world_size() if dist.is_initialized() else 1
    if trainer.is_deepspeed_enabled:
        from deepspeed import DeepSpeedEngine
        from deepspeed.utils import groups

        if isinstance(model, DeepSpeedEngine):
            engine = f"zero{model.zero_optimization_stage()}"
            offload = bool(model.zero_optimization() and model.zero_cpu_offload())
            return _words(engine, members, offload, groups._get_sequence_parallel_world_size())
    if isinstance(model, DistributedDataParallel):
        return _words("ddp", dist.get_world_size(model.process_group))
    if any(type(module).__name__.startswith("FSDP") for module in model.modules()):
        return _words("fsdp2", members)
    # Alone, or with others of whom nobody told the trainer: each trains for itself.
    return _words("ddp", 1)


def check_engine(trainer: "Trainer", parallel: ParallelConfig) -> str:
    """`engine_that_ran`; raises ConfigError if that is not what was asked."""
    ran, asked = engine_that_ran(trainer), engine_asked(parallel, processes.world())
    if ran != asked:
        raise ConfigError(
            f"{asked} was asked for (parallel.*), but the trainer runs {ran}: start the run with "
            "`python -m train`, torchrun or srun, and with the versions in constraints.txt."
        )
    return ran


def _words(engine: str, processes: int, offload: bool = False, sequence: int = 1) -> str:
    words = f"{engine} over {processes} process{'' if processes == 1 else 'es'}"
    words += ", optimiser offloaded" if offload else ""
    return words + (f", sequences shared by {sequence}" if sequence > 1 else "")
