"""The student's weights: loaded whole, in 4 bit, or with adapters; and saved as a student.

In bf16 a weight keeps 8 significant bits: an update below 1/256 of it is lost. So weights that are trained
are float32 somewhere: here, when each process holds all of them, or inside DeepSpeed, which keeps its own
float32 copy of a bf16 model. Adapters are float32 always, the base below them is only read.
"""

import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal_lego.errors import ConfigError, StudentError
from train.config import StudentConfig
from train.parallel import uses_deepspeed
from train.scale_config import ParallelConfig, TuningConfig

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def refuse_untrainable(tuning: TuningConfig, parallel: ParallelConfig, *, gpus: int) -> None:
    """Raises ConfigError for weights that cannot be trained here, or not by that engine."""
    if tuning.method != "qlora":
        return
    from importlib.util import find_spec

    if not gpus or find_spec("bitsandbytes") is None:
        missing = "a GPU" if not gpus else "the package bitsandbytes (pip install bitsandbytes)"
        raise ConfigError(f"tuning.method=qlora needs {missing}: choose lora, which runs without.")
    if parallel.engine != "ddp":
        raise ConfigError(
            "tuning.method=qlora has all 4-bit weights in each process, and parallel.engine="
            f"{parallel.engine} shares weights out: choose ddp, or tuning=lora."
        )


def load(student: StudentConfig, tuning: TuningConfig, parallel: ParallelConfig) -> "PreTrainedModel":
    """The model to train; with adapters it is a PeftModel.

    Raises StudentError when it cannot be loaded or an adapter finds no module.
    """
    import torch

    half = student.precision == "bf16"
    keeps_own_float32 = uses_deepspeed(parallel) or tuning.method != "full"
    dtype = torch.bfloat16 if half and keeps_own_float32 else torch.float32
    options: dict[str, Any] = {"attn_implementation": attention()}
    if tuning.method == "qlora":
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
        options["device_map"] = {"": torch.cuda.current_device()}
    model = _load(student.name_or_path, dtype, **options)
    return model if tuning.method == "full" else _with_adapters(model, student, tuning)


def attention() -> str:
    """The implementation of attention: flash attention where it is installed, else torch's own."""
    from transformers.utils import is_flash_attn_2_available

    return "flash_attention_2" if is_flash_attn_2_available() else "sdpa"


def linear_modules(model: "PreTrainedModel") -> list[str]:
    """The names that linear layers of the model end in, the output layer's left out."""
    import torch

    head = model.get_output_embeddings()
    linear = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }
    return sorted(linear)


def save(
    checkpoint: Path,
    folder: Path,
    student: StudentConfig,
    tuning: TuningConfig,
    tokenizer: "PreTrainedTokenizerBase",
) -> None:
    """Makes the student in `folder` from the trained weights in `checkpoint`, in the student's precision.

    Full fine-tuning gives a whole model; adapters stay adapters, and name the base they belong to.
    Generation ends with the token that ends a turn in training.
    """
    import torch
    from transformers import GenerationConfig
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    # Of the training that ended: with ZeRO-3 set, a model would be shared out while it is loaded.
    unset_hf_deepspeed_config()
    folder.mkdir(parents=True, exist_ok=True)
    if tuning.method == "full":
        model = _load(str(checkpoint), torch.bfloat16 if student.precision == "bf16" else torch.float32)
        generation = model.generation_config
        model.save_pretrained(folder)
    else:
        generation = _generation_config(student.name_or_path) or GenerationConfig()
        for name in ADAPTER_FILES:
            shutil.copyfile(checkpoint / name, folder / name)
    generation.eos_token_id = tokenizer.eos_token_id
    generation.pad_token_id = tokenizer.pad_token_id
    generation.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _load(name_or_path: str, dtype: "torch.dtype", **options: Any) -> "PreTrainedModel":
    from transformers import AutoModelForCausalLM

    try:
        return AutoModelForCausalLM.from_pretrained(name_or_path, dtype=dtype, **options)
    except Exception as error:  # a folder can be broken in many ways
        raise StudentError(
            f"student.name_or_path={name_or_path} cannot be loaded ({_first_line(error)}); "
            "give a folder, or a name on a hub that can be reached."
        ) from error


def _with_adapters(model: "PreTrainedModel", student: StudentConfig, tuning: TuningConfig) -> Any:
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    everywhere = list(tuning.targets) == ["all-linear"]
    if not everywhere:
        _refuse_no_match(model, student, tuning)
    if tuning.method == "qlora":
        model = prepare_model_for_kbit_training(
            model, use_gradient_checkpointing=student.gradient_checkpointing
        )
    adapters = LoraConfig(
        task_type="CAUSAL_LM",
        r=tuning.rank,
        lora_alpha=tuning.alpha,
        lora_dropout=tuning.dropout,
        target_modules="all-linear" if everywhere else list(tuning.targets),
    )
    with warnings.catch_warnings():
        # PEFT asks for a name that transformers wants called otherwise.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        return get_peft_model(model, adapters)


def _refuse_no_match(model: "PreTrainedModel", student: StudentConfig, tuning: TuningConfig) -> None:
    names = [name for name, _ in model.named_modules()]
    for target in tuning.targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            raise StudentError(
                f"tuning.targets: {target} is no module of {student.name_or_path}; its linear modules are "
                f"{', '.join(linear_modules(model))}, or take [all-linear]."
            )


def _generation_config(name_or_path: str) -> Any:
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(name_or_path)
    except OSError:  # not every model has one
        return None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
