import json

import pytest
import yaml

from terminal_lego.cli import main
from terminal_lego.formats import read_digest, read_trajectories
from terminal_lego.report.card import DATA_FILE
from tests.terminal_lego.cli.made import made, write
from tests.terminal_lego.rendering.samples import QUICKSTART


@pytest.fixture
def three():
    return [
        made("jobs/1", "a", lines=["ls"], extra={"difficulty": "easy"}),
        made("jobs/2", "b", text="Other.", lines=["cat x", "rm x"], reward=0.0),
        made("jobs/3", "b", reward=None, exception="AgentTimeoutError"),
    ]


@pytest.fixture
def source(three, tmp_path):
    return write(tmp_path / "source.parquet", *three)


def convert(*arguments: object) -> int:
    return main(["trajectories", "convert", *map(str, arguments)])


@pytest.mark.parametrize(
    ("form", "place"), [("parquet", "new/out.parquet"), ("parquet", "set"), ("atif", "set")]
)
def test_nothing_is_lost(three, source, form, place, tmp_path, capsys):
    assert convert(source, "--format", form, "--to", tmp_path / place) == 0
    assert f"Written to {tmp_path / place}" in capsys.readouterr().out
    found = read_trajectories(tmp_path / place)
    assert found.trajectories == three
    assert found.set_aside == []


@pytest.mark.parametrize(("form", "column"), [("messages", "messages"), ("sharegpt", "conversations")])
def test_rows_for_other_trainers(three, source, form, column, tmp_path):
    assert convert(source, "--format", form, "--to", tmp_path / "rows.jsonl") == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [len(row[column]) for row in rows] == [len(trajectory.messages()) for trajectory in three]


def test_select_leaves_the_others_out(source, tmp_path, capsys):
    assert convert(source, "--to", tmp_path / "out.parquet", "--select", "outcome=failed") == 0
    assert [t.id for t in read_trajectories(tmp_path / "out.parquet").trajectories] == ["jobs/2"]
    assert "outcome: failed" in capsys.readouterr().out


def test_a_folder_gets_data_and_card_and_can_be_written_again(source, tmp_path, capsys):
    folder = tmp_path / "set"
    for _ in range(2):
        assert convert(source, "--to", folder, "--select", "outcome=all", "complete=false") == 0
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        "README.md",
        DATA_FILE,
    }
    text = (folder / "README.md").read_text()
    digest = read_digest(folder / DATA_FILE)
    assert f"\n{digest}\n" in text
    assert digest in capsys.readouterr().out
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["pretty_name"] == "set"
    assert front["configs"][0]["data_files"] == [{"split": "train", "path": DATA_FILE}]
    assert "| trajectories                                   |        3 |" in text
    assert "| raw replies |     3 |    3 |       0 |" in text
    assert str(tmp_path) not in text
    assert "--format parquet --to " in text


@pytest.mark.parametrize("how", ["files", "folder"])
def test_the_datasets_library_loads_the_same_rows(three, source, how, tmp_path):
    from datasets import load_dataset

    assert convert(source, "--to", tmp_path / "set") == 0
    cache = {"split": "train", "cache_dir": str(tmp_path / "cache")}
    if how == "files":
        rows = load_dataset("parquet", data_files=str(tmp_path / "set" / DATA_FILE), **cache)
    else:
        rows = load_dataset(str(tmp_path / "set"), **cache)
    assert rows["id"][:] == [t.id for t in three]
    assert rows["prompt"][:] == [t.prompt for t in three]
    assert rows["reward"][:] == [1.0, 0.0, None]
    assert [[turn["reply"] for turn in turns] for turns in rows["turns"]] == [
        [turn.reply for turn in t.turns] for t in three
    ]
    assert json.loads(rows["extra"][0]) == three[0].extra


def test_lengths_in_tokens_and_a_limit_on_them(source, tmp_path):
    given = ("--to", tmp_path / "set", "--tokenizer", QUICKSTART)
    assert convert(source, *given, "--select", "max_tokens=100000") == 0
    text = (tmp_path / "set" / "README.md").read_text()
    assert "by the tokenizer quickstart/base" in text
    assert "tokens: 100,000" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--to", "rows.jsonl"],
            "--to rows.jsonl: Parquet goes to a file that ends in .parquet, or to a folder",
        ),
        (["--to", "folder", "--format", "messages"], "--to folder is a folder; name a file in it"),
        (["--to", "file", "--format", "atif"], "--to file is a file; atif writes one file per trajectory"),
        (["--to", "file"], "--to file is a file; name a folder, or a file that ends in .parquet"),
        (["--to", "file/out.parquet"], "--to file/out.parquet cannot be written: "),
        (["--to", "mine"], "--to mine has a README.md that is not a data card; name another folder"),
        (
            ["--to", "set", "--select", "outcome=failed", "complete=true", "teacher=c"],
            "no trajectory is left to write",
        ),
        (
            ["--to", "set", "--select", "max_tokens=5"],
            "--select max_tokens=5 counts tokens: name a --tokenizer",
        ),
        (
            ["--to", "set", "--select", "colour=red"],
            "--select colour=red: give KEY=VALUE with a KEY of band,",
        ),
        (["--to", "set", "--select", "outcome=maybe"], "outcome='maybe' is none of passed, failed, all"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(arguments, said, source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("# My project\n")
    before = sorted(tmp_path.rglob("*"))
    assert convert(source, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}")
    assert error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
