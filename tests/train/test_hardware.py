import dataclasses

import pytest
import torch

from terminal_lego.errors import ConfigError
from train import compose
from train.hardware import peak, resolve
from train.memory import GIB
from train.scale_config import HardwareConfig


@pytest.mark.parametrize("name", ["h200x1", "h100x8", "h200x8", "h100x32"])
def test_named_hardware_is_complete(name, tmp_path):
    hardware = compose.load([f"data.path={tmp_path}", f"hardware={name}"]).hardware
    assert hardware.gpus == int(name.partition("x")[2])
    assert resolve(hardware) == hardware
    assert hardware.tflops == peak(hardware.name)
    assert hardware.memory_gib > 79
    assert hardware.price is None


def test_the_machine_at_hand_is_asked(tmp_path, monkeypatch):
    here = compose.load([f"data.path={tmp_path}"]).hardware
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve(here).name == "this machine, no GPU"
    found = type("Properties", (), {"name": "NVIDIA H100 80GB HBM3", "total_memory": 79 * GIB})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: found)
    assert resolve(here) == HardwareConfig("NVIDIA H100 80GB HBM3", 4, 79.0, 989.0)
    assert resolve(dataclasses.replace(here, tflops=500.0)).tflops == 500
    assert peak("NVIDIA H100 PCIe") == 756
    assert peak("Some GPU") == 0


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("hardware.gpus=-1", "hardware.gpus=-1 is too small"),
        ("hardware.price=-2", "hardware.price=-2.0 is too small"),
        ("hardware.utilisation=0", "hardware.utilisation=0.0 must be above 0"),
        ("hardware.utilisation=35", "hardware.utilisation=35.0 is out of range"),
        ("hardware=abacus", "hardware=abacus does not exist: choose one of"),
    ],
)
def test_impossible_hardware_is_refused(word, sentence, tmp_path):
    with pytest.raises(ConfigError, match=sentence):
        compose.load([f"data.path={tmp_path}", word])
