from terminal_lego.cli import main
from tests.terminal_lego.cli.made import chat_row, made, write


def test_counts_by_model_add_up(tmp_path, capsys):
    rows = [chat_row("a", 1, 1.0), chat_row("a", 4, 0.0), chat_row("[b]", 2, None), "{torn"]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows) + "\n")
    assert main(["trajectories", "stats", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "4 met: 3 read, 1 set aside."
    assert said[1].startswith("set aside 1: ")
    assert "rows.jsonl:4" in said[1]
    assert said[2].split()[:2] == ["model", "trials"]
    assert said[3].split() == ["[b]", "1", "1", "0", "0", "1", "0", "2", "2-2"]
    assert said[4].split() == ["a", "2", "1", "1", "1", "0", "0", "2.5", "1-4"]


def test_several_sources_are_counted_together(tmp_path, capsys):
    first = write(tmp_path / "1.parquet", made("1", "a"), made("2", "a", exception="AgentTimeoutError"))
    second = write(tmp_path / "2.parquet", made("3", "a", reward=0.5), made("4", ""))
    assert main(["trajectories", "stats", first, second]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "4 met: 4 read, 0 set aside."
    assert said[2].split() == ["a", "3", "3", "2", "1", "0", "1", "1", "1-1"]
    assert said[3].split() == ["unknown", "1", "1", "1", "0", "0", "0", "1", "1-1"]


def test_a_file_without_trajectories_has_no_table(tmp_path, capsys):
    (tmp_path / "notes.json").write_text('{"a": 1}')
    assert main(["trajectories", "stats", str(tmp_path / "notes.json")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "1 met: 0 read, 1 set aside."
    assert len(said) == 2
