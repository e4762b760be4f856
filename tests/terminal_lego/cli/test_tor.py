import json

import pytest

from terminal_lego.cli import main
from terminal_lego.grounding.tor import DEFAULT, VARIANTS
from tests.terminal_lego.cli.made import made, write


@pytest.fixture
def source(tmp_path):
    """A looker on two tasks, a guesser on one of them."""
    return write(
        tmp_path / "rows.parquet",
        made("1", "looker", text="One.", lines=["cat /app/a.txt", "rm /app/a.txt"]),
        made("2", "looker", text="Two.", lines=["cat /app/b.txt", "rm /app/b.txt", "rm /app/c.txt"]),
        made("3", "guesser", text="One.", lines=["rm /app/a.txt"], reward=0.0),
    )


@pytest.fixture
def tor(source, tmp_path, capsys):
    """Runs the command; gives the lines said and the scores written."""

    def run(*arguments: str) -> tuple[list[str], list[dict]]:
        out = tmp_path / "scores" / "tor.jsonl"
        assert main(["tor", source, "--out", str(out), *arguments]) == 0
        scores = [json.loads(line) for line in out.read_text().splitlines()]
        return capsys.readouterr().out.splitlines(), scores

    return run


def default_row(lines: list[str]) -> str:
    (row,) = (line for line in lines if line.startswith(f"{DEFAULT} *"))
    return row.removeprefix(f"{DEFAULT} *").strip()


def test_every_trajectory_is_scored_under_every_variant(tor):
    _, scores = tor()
    assert [(score["id"], score["model"], score["tor"]) for score in scores] == [
        ("1", "looker", 1.0),
        ("2", "looker", 0.5),
        ("3", "guesser", 0.0),
    ]
    assert all(score["variants"].keys() == set(map(str, VARIANTS)) for score in scores)
    assert scores[1]["variants"][str(DEFAULT)] == [1, 2]
    assert scores[0]["task_hash"] == scores[2]["task_hash"] != scores[1]["task_hash"]


def test_a_column_per_teacher_and_a_row_per_variant(tor):
    said, _ = tor()
    assert said[0] == "3 met: 3 read, 0 set aside."
    (header,) = (line for line in said if line.startswith("variant "))
    assert header.split() == ["variant", "guesser", "looker"]
    assert default_row(said).split("  ")[0] == "0.0 [nan, nan]"
    assert default_row(said).endswith("75.0 [50.0, 100.0]")
    assert sum(line.startswith(tuple(map(str, VARIANTS))) for line in said) == len(VARIANTS)
    assert said[-1].startswith("Scores per trajectory: ")


def test_matched_keeps_common_tasks(tor):
    said, scores = tor("--matched")
    assert "2 of 3 trajectories are of tasks that every teacher attempted." in said
    assert default_row(said).endswith("100.0 [nan, nan]")
    assert len(scores) == 3


def test_pooled_weighs_by_actions(tor):
    said, _ = tor("--pooled")
    assert default_row(said).rpartition("  ")[2].startswith("66.7 [")


def test_the_seed_makes_it_reproducible(tor):
    assert tor("--seed", "3") == tor("--seed", "3")


def test_a_missing_source_is_one_sentence(tmp_path, capsys):
    assert main(["tor", str(tmp_path / "none"), "--out", str(tmp_path / "tor.jsonl")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / 'none'} does not exist")
    assert error.count("\n") == 1
