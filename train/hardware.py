"""The machine a plan counts with: the one named in the settings, or the one at hand."""

from dataclasses import replace

from train.scale_config import HardwareConfig

PEAKS = (
    ("H200", 989.0),
    ("H100 PCIe", 756.0),
    ("H100 NVL", 835.0),
    ("H100", 989.0),
    ("A100", 312.0),
)
"""Dense bf16 peak in TFLOP/s by what a GPU's name holds, the first that fits; from NVIDIA's data sheets."""


def resolve(hardware: HardwareConfig) -> HardwareConfig:
    """The same, or without a name what torch finds here; what was set stays as it was set."""
    if hardware.name is not None:
        return hardware
    import torch

    if not torch.cuda.is_available():
        return replace(hardware, name="this machine, no GPU")
    gpu = torch.cuda.get_device_properties(0)
    return replace(
        hardware,
        name=gpu.name,
        gpus=hardware.gpus or torch.cuda.device_count(),
        memory_gib=hardware.memory_gib or gpu.total_memory / 2**30,
        tflops=hardware.tflops or peak(gpu.name),
    )


def peak(name: str) -> float:
    """Dense bf16 TFLOP/s of the GPU of that name, 0 when it is not known here."""
    return next((tflops for part, tflops in PEAKS if part in name), 0.0)
