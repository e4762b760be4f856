from terminal_lego.cli import main
from tests.terminal_lego.report.trials.made import write_job


def test_a_job_becomes_a_page(tmp_path, capsys):
    job, page = write_job(tmp_path / "job"), tmp_path / "new" / "page.html"
    assert main(["trials", "view", str(job), "--out", str(page)]) == 0
    told = "1 passed, 1 partly passed, 2 failed, 1 lost to the infrastructure, 1 unfinished"
    assert capsys.readouterr().out == f"{told}: {page}\n"
    assert page.read_text().startswith("<!doctype html>")


def test_a_mistake_is_one_sentence(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for words, sentence in (
        ([str(tmp_path / "empty")], "holds no trial"),
        ([str(tmp_path / "none")], "is not a folder"),
        ([str(write_job(tmp_path / "job")), "--out", str(tmp_path)], "cannot be written"),
    ):
        assert main(["trials", "view", *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ") and sentence in line
