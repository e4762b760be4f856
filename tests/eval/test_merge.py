import json
from dataclasses import replace

import pytest

from eval import merge as command
from eval.jobs import load_result
from eval.merge import merge
from terminal_lego.errors import ConfigError
from tests.eval.job_folders import write_job

OUTCOMES = {"a": [1.0, 0.0], "b": [0.0, "SandboxError"], "c": ["0.0 AgentTimeoutError", 1.0]}


def parts(job, outcomes=OUTCOMES, count=3):
    return [
        write_job(job / f"shards/{part}-of-{count}", outcomes, shard=f"{part}/{count}")
        for part in range(1, count + 1)
    ]


def plain(result, root):
    """Without the folders."""
    records = [replace(record, path="") for record in result.records]
    return replace(result, job_dir="", records=records).to_dict()


def test_a_merged_job_reads_like_one_that_was_never_cut(tmp_path):
    whole = write_job(tmp_path / "whole", OUTCOMES)
    merged = merge(parts(tmp_path / "job"), tmp_path / "job")
    assert plain(merged, tmp_path) == plain(load_result(whole), tmp_path)
    assert merged.trials == 6 and merged.infrastructure_errors == 1
    trials = {path.name for path in whole.iterdir() if path.is_dir()}
    assert {path.name for path in (tmp_path / "job").iterdir() if "__" in path.name} == trials
    assert json.loads((tmp_path / "job/manifest.json").read_text()) == json.loads(
        (whole / "manifest.json").read_text()
    )
    assert (tmp_path / "job/config.json").exists()
    totals = json.loads((tmp_path / "job/result.json").read_text())
    assert totals["n_total_trials"] == totals["stats"]["n_completed_trials"] == 6
    assert totals["finished_at"]


def test_a_part_that_is_not_there_leaves_trials_missing_until_it_is(tmp_path):
    folders = parts(tmp_path)
    assert merge(folders[:2], tmp_path / "all").errors["not run"] == 2
    assert "not run" not in merge(folders, tmp_path / "all").errors


def test_merging_again_changes_nothing(tmp_path):
    folders = parts(tmp_path)
    assert merge(folders, tmp_path / "all").to_dict() == merge(folders, tmp_path / "all").to_dict()


def test_a_finished_trial_wins_over_a_lost_one(tmp_path):
    lost = write_job(tmp_path / "one", {"a": ["SandboxError"]})
    good = write_job(tmp_path / "two", {"a": [1.0]})
    for name, order in (("x", [lost, good]), ("y", [good, lost])):
        assert merge(order, tmp_path / name).solved == 1


def test_a_damaged_trial_is_missing(tmp_path):
    folders = parts(tmp_path)
    victim = next(path for path in folders[0].iterdir() if path.is_dir())
    (victim / "result.json").write_text('{"trial_name"')
    assert merge(folders, tmp_path / "all").errors["not run"] == 1


def test_parts_of_different_jobs_are_refused(tmp_path):
    first = write_job(tmp_path / "one", {"a": [1.0]})
    hotter = write_job(tmp_path / "two", {"a": [1.0]}, conditions={"temperature": 1.0})
    other = write_job(tmp_path / "three", {"a": [1.0]}, model="n")
    with pytest.raises(ConfigError, match="not parts of one job: another temperature"):
        merge([first, hotter], tmp_path / "all")
    with pytest.raises(ConfigError, match="not parts of one job: another model"):
        merge([first, other], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_the_command_merges_the_shards_of_a_job_into_it(tmp_path, capsys):
    parts(tmp_path / "job")
    assert command.main([str(tmp_path / "job")]) == 0
    assert "2/3" in capsys.readouterr().out
    assert load_result(tmp_path / "job").trials == 6


def test_the_command_refuses_a_folder_without_parts_in_one_line(tmp_path, capsys):
    assert command.main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "holds no parts" in error and error.count("\n") == 1
