from pathlib import Path

import pytest

from terminal_lego.cli import main
from terminal_lego.formats import write_parquet
from tests.train.scripted import conversations

BASE = Path(__file__).parents[3] / "recipes" / "quickstart" / "base"


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.parquet"
    write_parquet(conversations(6), path)
    return str(path)


def inspect(*words: object) -> int:
    return main(["trajectories", "inspect", *map(str, words)])


def test_a_page_of_what_was_kept_and_dropped(rows, tmp_path, capsys):
    page = tmp_path / "page.html"
    words = (rows, "--tokenizer", BASE, "--mask", "hide=[observation]", "unit=span", "--out", page)
    assert inspect(*words, "--select", "limit=4") == 0
    assert "4 kept, 2 dropped" in capsys.readouterr().out
    assert "not drawn" in page.read_text()


@pytest.mark.parametrize("mask", [["unit=context", "hide=[observation]"], ["random=true", "hide=[action]"]])
def test_every_kind_of_mask_can_be_shown(rows, tmp_path, mask):
    assert inspect(rows, "--tokenizer", BASE, "--mask", *mask, "--out", tmp_path / "page.html") == 0


def test_without_a_tokenizer_there_is_a_page_too(rows, tmp_path):
    assert inspect(rows, "--out", tmp_path / "page.html") == 0
    assert (tmp_path / "page.html").stat().st_size > 10_000


def test_one_trajectory_as_text_with_its_mask(rows, capsys):
    wanted = conversations(6)[2]
    words = ("--tokenizer", BASE, "--mask", "hide=[observation]", "unit=span")
    assert inspect(rows, *words, "--text", wanted.id) == 0
    printed = capsys.readouterr().out
    assert wanted.id in printed
    assert "[-" in printed and "{+" in printed


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--text"], "--text shows tokens"),
        (["--tokenizer", str(BASE), "--text", "nobody"], "--text nobody: no trajectory"),
        (["--tokenizer", "/no/such"], "has no tokenizer that can be loaded"),
        (["--mask", "hide=[looks]"], "mask.hide=looks is not known"),
        (["--mask", "hide"], "give KEY=VALUE"),
        (["--select", "limit=abc"], "could not be converted to Integer"),
        (["--select", "complete=nope"], "is not a valid bool"),
        (["--select", "max_tokens=5"], "name a --tokenizer"),
    ],
)
def test_a_mistake_is_one_sentence(rows, words, sentence, capsys):
    assert inspect(rows, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and sentence in line
