from dataclasses import replace

import pytest

from bench import gpu_sft
from bench.gpu_sft import QWEN3_8B, Figures, Job, conversations
from train.scale_config import ParallelConfig, TuningConfig

TWO_LAYERS = replace(
    QWEN3_8B, hidden=32, layers=2, heads=2, kv_heads=1, head_dim=16, intermediate=48, vocabulary=442
)


def test_the_shape_is_that_of_qwen3_8b():
    assert QWEN3_8B.parameters == 8_190_735_360  # as its model card has them
    # The table of planned figures has 74.4 GFLOP for each token of one 32k conversation.
    assert QWEN3_8B.flops([32_768], TuningConfig()) / 32_768 == pytest.approx(74.4e9, rel=1e-3)


def test_without_a_gpu_it_says_so(capsys):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert gpu_sft.main([]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_third_of_the_tokens_is_trained():
    (made,) = conversations([30 * gpu_sft.REPLY], vocabulary=50)
    assert made.trained_tokens == 10 * gpu_sft.REPLY
    assert min(made.input_ids) >= 0 and max(made.input_ids) < 50


def test_a_small_shape_is_measured_without_a_gpu(tmp_path):
    base = gpu_sft.make_base(TWO_LAYERS, tmp_path)
    assert base == gpu_sft.make_base(TWO_LAYERS, tmp_path)
    figures = gpu_sft.measure(Job("LoRA", length=64, conversations=2, steps=2), TWO_LAYERS, base)
    assert figures.per_second > 0
    assert (figures.mfu, figures.peak_gib) == (None, 0.0)


def test_one_job_that_fails_leaves_the_others(tmp_path, monkeypatch):
    monkeypatch.setitem(gpu_sft.METHODS, "no engine", (TuningConfig(), ParallelConfig(engine="fsdp2")))
    found = gpu_sft.run(Job("no engine", 64, 1, 1), TWO_LAYERS, tmp_path)
    assert isinstance(found, str) and "parallel.engine=fsdp2 needs GPUs" in found
    job = Job("LoRA", 32_768, 4, 8)
    assert gpu_sft._row(job, found)[:4] == ("LoRA", "32,768", "4", found)
    assert gpu_sft._row(job, Figures(4321.0, 0.456, 70.0)) == (
        "LoRA", "32,768", "4", "4,321", "45.6%", "70.0 GiB",
    )  # fmt: skip
