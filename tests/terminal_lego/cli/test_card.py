import pytest
import yaml

from terminal_lego.cli import main
from terminal_lego.formats import read_digest
from terminal_lego.task import TaskConfig, write_task
from tests.terminal_lego.cli.made import made, write
from tests.terminal_lego.rendering.samples import QUICKSTART


@pytest.fixture
def source(tmp_path):
    """Of two tasks: one looks before it acts and passed, the other does not and failed."""
    return write(
        tmp_path / "rows.parquet",
        made("1", "looker", lines=["cat /app/a.txt", "rm /app/a.txt"]),
        made("2", "looker", text="Other.", lines=["cat /app/b.txt", "rm /app/b.txt"]),
        made("3", "guesser", lines=["rm /app/a.txt"], reward=0.0),
    )


@pytest.fixture
def benchmark(tmp_path):
    config = TaskConfig.model_validate({"environment": {"docker_image": "debian:12"}})
    files = {"tests/test.sh": "echo 1\n", "environment/": ""}
    write_task(tmp_path / "bench" / "same", config, "Other.\n", files)
    write_task(tmp_path / "bench" / "another", config, "Count the stars on a clear night.\n", files)
    return str(tmp_path / "bench")


def card(*arguments: object) -> int:
    return main(["trajectories", "card", *map(str, arguments)])


def test_standard_output_holds_the_card_alone(source, tmp_path, capsys):
    assert card(source, "--select", "outcome=all") == 0
    said = capsys.readouterr()
    assert said.out.startswith("---\npretty_name: rows\n")
    assert "outcome" not in said.out.partition("## How this card was made")[0]
    assert "3 met: 3 read, 0 set aside." in said.err
    assert "Selection" in said.err
    assert str(tmp_path) not in said.out
    assert f"card {tmp_path.name}/rows.parquet --select outcome=all\n" in said.out


def test_out_writes_what_is_printed_otherwise(source, tmp_path, capsys):
    assert card(source, "--out", tmp_path / "new" / "README.md") == 0
    assert capsys.readouterr().out == f"Written to {tmp_path / 'new' / 'README.md'}\n"
    assert card(source) == 0
    assert (tmp_path / "new" / "README.md").read_text() == capsys.readouterr().out


def test_tor_of_each_teacher(source, capsys):
    assert card(source) == 0
    lines = capsys.readouterr().out.splitlines()
    (looker,) = (line for line in lines if line.startswith("| looker"))
    (guesser,) = (line for line in lines if line.startswith("| guesser"))
    assert r"100.0 % \[100.0, 100.0\]" in looker
    assert "0.0 % (no interval)" in guesser


def test_one_parquet_file_is_known_by_its_digest(source, tmp_path, capsys):
    assert card(source) == 0
    said = capsys.readouterr().out
    assert f"\n{read_digest(source)}\n" in said
    assert yaml.safe_load(said.split("---\n")[1])["configs"][0]["data_files"][0]["path"] == "rows.parquet"
    other = write(tmp_path / "other.parquet", made("9"))
    for arguments in ([source, other], [source, "--select", "outcome=all"], [tmp_path]):
        assert card(*arguments) == 0
        assert "## Data digest\n\nUnknown" in capsys.readouterr().out


def test_a_converted_folder_is_known_by_its_digest(source, tmp_path, capsys):
    assert main(["trajectories", "convert", source, "--to", str(tmp_path / "set")]) == 0
    assert card(tmp_path / "set") == 0
    assert f"\n{read_digest(source)}\n" in capsys.readouterr().out


def test_filters_losses_and_what_could_not_be_read(source, tmp_path, capsys):
    (tmp_path / "torn.jsonl").write_text("{torn\n")
    assert card(tmp_path, "--select", "outcome=passed") == 0
    said = capsys.readouterr().out
    assert "| read            |     4 |    3 |       1 | 1: not valid JSON" in said
    assert "| outcome: passed |     3 |    2 |       1 | 1: failed" in said
    assert "| outcome: passed | guesser |  1 of 1 |" in said


def test_comparison_with_a_benchmark_drops_nothing(source, benchmark, capsys):
    assert card(source, "--benchmark", benchmark) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "| trajectories | 3 |" in said
    assert "/bench: 1 of 3 tasks here have the name or the instruction of one of them." in said
    assert "same instruction" in said


def test_decontamination_by_the_selection_is_told_too(source, benchmark, tmp_path, capsys):
    wanted = ["outcome=all", "drop_contaminated=true", f"decontaminate={benchmark}"]
    assert card(source, "--select", *wanted) == 0
    said = capsys.readouterr().out
    assert "1 of 3 tasks had the name or the instruction of one; they were left out." in said
    assert str(tmp_path) not in said
    assert f"decontaminate={tmp_path.name}/bench" in said


def test_lengths_in_tokens(source, capsys):
    assert card(source, "--tokenizer", QUICKSTART) == 0
    said = capsys.readouterr().out
    assert "Tokens of the whole conversation, by the tokenizer quickstart/base" in said
    assert "--tokenizer quickstart/base" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rows.parquet", "--select", "teacher=nobody"], "rows: no trajectory is left to describe; loosen"),
        (
            ["rows.parquet", "--select", "colour=red"],
            "--select colour=red: give KEY=VALUE with a KEY of band,",
        ),
        (["rows.parquet", "--select", "limit"], "--select limit: give KEY=VALUE with a KEY of band,"),
        (["rows.parquet", "--benchmark", "nowhere"], "nowhere holds no task"),
        (["rows.parquet", "--tokenizer", "./nowhere"], "student.name_or_path=./nowhere has no tokenizer"),
        (["rows.parquet", "--out", "."], "--out . is a folder; name a file in it, such as README.md"),
        (["rows.parquet", "--out", "rows.parquet/card.md"], "--out rows.parquet/card.md cannot be written: "),
        (["nowhere"], "nowhere does not exist"),
        (["notes.json"], "notes: no trajectory is left to describe"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, said, source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.json").write_text('{"a": 1}')
    assert card(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line for line in printed.err.splitlines() if line.startswith("error: ")] == [
        printed.err.splitlines()[-1]
    ]
    assert printed.err.splitlines()[-1].startswith(f"error: {said}")
