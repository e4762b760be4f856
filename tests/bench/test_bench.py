import random
import re

import pytest

from bench import corpus, reading, rendering, tokenizer
from bench.__main__ import main
from bench.trajectories import TEACHERS, row
from terminal_lego.formats import read_trajectories

SIZE = 40


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> corpus.Corpus:
    return corpus.make(tmp_path_factory.mktemp("bench"), SIZE, workers=2)


def test_both_forms_of_the_corpus_hold_the_same_trajectories(made):
    found = read_trajectories(made.json)
    assert not found.set_aside
    assert found.trajectories == read_trajectories(made.parquet).trajectories
    assert len(found.trajectories) == SIZE
    assert {each.model for each in found.trajectories} == {teacher.name for teacher in TEACHERS}
    assert len({each.task for each in found.trajectories}) == SIZE / len(TEACHERS)
    assert 25_000 < made.json_bytes / SIZE < 60_000


def test_no_two_trajectories_share_most_of_their_lines(made):
    said = [
        {line for message in each.messages() for line in message["content"].split("\n")}
        for each in read_trajectories(made.parquet).trajectories
    ]
    for one, other in (random.Random(0).sample(said, 2) for _ in range(200)):
        assert len(one & other) < len(one) / 2


def test_a_row_is_always_the_same():
    assert row(3, TEACHERS[0]) == row(3, TEACHERS[0])
    assert row(3, TEACHERS[0]) != row(3, TEACHERS[1]) != row(4, TEACHERS[1])


def test_a_complete_corpus_is_not_made_again(made):
    before = made.parquet.stat().st_mtime_ns
    assert corpus.make(made.folder, SIZE, workers=1) == made
    assert made.parquet.stat().st_mtime_ns == before


def test_what_is_missing_is_no_figure(made):
    more = corpus.Corpus(made.folder, SIZE + 1)
    with pytest.raises(RuntimeError, match=f"{SIZE} of {SIZE + 1} trajectories came out"):
        reading.measure(more, 1, 1)


@pytest.mark.slow
def test_every_figure_comes_out(made, monkeypatch, capsys):
    monkeypatch.setattr(tokenizer, "VOCABULARY", 1000)
    sizes = ["--trajectories", str(SIZE), "--sample", "8", "--rounds", "1"]
    main(["--only", "data", "--folder", str(made.folder), *sizes])
    printed = capsys.readouterr().out
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    named = {cells[0] for cells in rows}
    assert {"read JSON", "read and score Parquet", rendering.BOTH, rendering.OURS, rendering.TRL} <= named
    figures = [cell for cells in rows for cell in cells[1:] if re.match(r"\d", cell)]
    assert len(figures) > 40
    assert all(float(cell.replace(",", "")) > 0 for cell in figures)
    assert (made.folder / "results.md").read_text() == printed
