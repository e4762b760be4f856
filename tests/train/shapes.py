"""Models of known sizes, and settings to plan with."""

from pathlib import Path

from terminal_lego.curation.config import SelectionConfig
from terminal_lego.rendering.masks import MaskConfig
from train.config import DataConfig, EvaluationConfig, SftConfig, StudentConfig, TrackingConfig, TrainConfig
from train.model_shape import ModelShape
from train.scale_config import HardwareConfig, ParallelConfig, TuningConfig

QWEN3_8B = ModelShape(4096, 36, 32, 8, 128, 12288, 151936, tied=False, qk_norm=True)
QWEN3_32B = ModelShape(5120, 64, 64, 8, 128, 25600, 151936, tied=False, qk_norm=True)
LLAMA_8B = ModelShape(4096, 32, 32, 8, 128, 14336, 128256, tied=False)
QWEN25_7B = ModelShape(3584, 28, 28, 4, 128, 18944, 152064, tied=False, qkv_bias=True)
QWEN25_32B = ModelShape(5120, 64, 40, 8, 128, 27648, 152064, tied=False, qkv_bias=True)
TINY = ModelShape(64, 2, 4, 2, 32, 192, 442, tied=True, qk_norm=True)


def settings(**changed) -> TrainConfig:
    """A TrainConfig with some settings of some blocks changed: settings(sft={"epochs": 1})."""
    student = {"name_or_path": "x", "gradient_checkpointing": True, "model_limit": 65536}
    sft = {"max_steps": None, "epochs": 1, "max_length": 32768}
    return TrainConfig(
        student=StudentConfig(**student | changed.get("student", {})),
        data=DataConfig(str(Path(__file__).parent)),
        selection=SelectionConfig(**changed.get("selection", {})),
        mask=MaskConfig(),
        sft=SftConfig(**sft | changed.get("sft", {})),
        evaluation=EvaluationConfig(),
        tracking=TrackingConfig(),
        tuning=TuningConfig(**changed.get("tuning", {})),
        parallel=ParallelConfig(**changed.get("parallel", {})),
        hardware=changed.get("hardware", HardwareConfig("CPU")),
    )
