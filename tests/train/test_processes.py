"""What a process knows about itself, and what three real ones tell each other through gloo."""

import sys

import pytest

from train import launch, processes

THREE = """
import sys
from pathlib import Path
from train import processes

here, rank = Path(sys.argv[1]), processes.rank()
processes.join()
processes.join()
with processes.main_first():
    if processes.is_main():
        (here / "made").write_text("by the main process")
    seen = (here / "made").read_text()
lines = [seen, processes.highest(rank * 10), processes.shared(lambda: f"of {rank}"), processes.highest(-rank)]
(here / str(rank)).write_text(repr(lines))
processes.leave()
"""


@pytest.mark.slow
def test_three_agree(tmp_path):
    assert launch.run([sys.executable, "-c", THREE, str(tmp_path)], 3, tmp_path / "logs") == 0
    for rank in range(3):
        assert (tmp_path / str(rank)).read_text() == repr(["by the main process", 20, "of 0", 0])


def test_one_answers_for_itself(monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (processes.rank(), processes.local_rank(), processes.world()) == (0, 0, 1)
    assert processes.is_main()
    assert processes.highest(-3) == -3
    assert processes.shared(lambda: "mine") == "mine"
    with processes.main_first():
        processes.wait()


def test_the_environment_says_which_of_several_it_is(monkeypatch):
    for name, value in (("RANK", "9"), ("LOCAL_RANK", "1"), ("WORLD_SIZE", "16")):
        monkeypatch.setenv(name, value)
    assert (processes.rank(), processes.local_rank(), processes.world()) == (9, 1, 16)
    assert not processes.is_main()
