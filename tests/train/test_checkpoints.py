import json
from pathlib import Path

import pytest

from terminal_lego.errors import ConfigError
from train import checkpoints
from train.checkpoints import COMPLETE, newest, refuse_another, steps_done, vouch

IDENTITY = {
    "parallel.engine": "ddp",
    "processes": 2,
    "sequences per step": 8,
    "sft.learning_rate": 1e-5,
    "tuning.targets": ["all-linear"],
}


def make(folder: Path, step: int, **changed: object) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "weights").write_bytes(b"1")
    vouch(checkpoint, IDENTITY | changed | {"engine": "as it ran"})
    return checkpoint


def test_the_newest_complete_one_counts_and_torn_ones_go(tmp_path):
    assert newest(tmp_path / "none") is None
    make(tmp_path, 2)
    make(tmp_path, 10)
    torn = make(tmp_path, 12)
    (torn / COMPLETE).unlink()
    assert newest(tmp_path) == tmp_path / "checkpoint-10"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-2"]
    assert steps_done(newest(tmp_path)) == 10
    assert steps_done(None) == 0


def test_the_mark_comes_after_everything_is_on_the_disk(tmp_path, monkeypatch):
    """A disk that fails then leaves the checkpoint before as the newest."""
    make(tmp_path, 2)

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "_flush", full)
    with pytest.raises(OSError, match="No space left"):
        make(tmp_path, 4)
    assert newest(tmp_path) == tmp_path / "checkpoint-2"


def test_the_same_training_goes_on(tmp_path):
    refuse_another(make(tmp_path, 2), json.loads(json.dumps(IDENTITY)))


def test_ddp_may_change_its_number_of_processes(tmp_path):
    refuse_another(make(tmp_path, 2), IDENTITY | {"processes": 4})


def test_pieces_may_not(tmp_path):
    checkpoint = make(tmp_path, 2, **{"parallel.engine": "zero2"})
    with pytest.raises(
        ConfigError, match=r"in 2 pieces, .* parallel.engine=zero2, .* go on in 4: start as many"
    ):
        refuse_another(checkpoint, IDENTITY | {"parallel.engine": "zero2", "processes": 4})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sft.learning_rate": 1.0}, r"settings: sft.learning_rate \(1e-05 there, 1.0 now\). Repeat"),
        (
            {"processes": 4, "sequences per step": 16},
            r"settings: sequences per step \(8 there, 16 now\) \(these are sft.batch_size x",
        ),
        ({"parallel.engine": "zero3"}, r"parallel.engine \(ddp there, zero3 now\)"),
        ({"new": 1}, r"new \(None there, 1 now\)"),
    ],
)
def test_another_training_is_refused_by_what_differs(changed, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        refuse_another(make(tmp_path, 2), IDENTITY | changed)


def test_the_mark_says_whose_it_is(tmp_path):
    checkpoint = make(tmp_path, 2)
    assert checkpoints.identity(checkpoint) == IDENTITY | {"engine": "as it ran"}
    assert json.loads((checkpoint / COMPLETE).read_text())["processes"] == 2
