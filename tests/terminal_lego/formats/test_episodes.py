"""Exports with one row per episode, as Harbor writes them: every row holds the whole conversation so far."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from terminal_lego.formats import read_trajectories


def row(trial, episode, run="run-1", **fields):
    said = [{"role": ("user", "assistant")[n % 2], "content": f"{trial} {n}"} for n in range(2 * episode + 2)]
    names = {
        "episode": f"episode-{episode}",
        "trial_name": trial,
        "run_id": run,
        "task": "t",
        "result": "1.0",
    }
    return {"conversations": said} | names | fields


ROWS = [row("a", 0), row("b", 0), row("a", 10), row("a", 9), row("b", 1), row("a", 0, run="run-2")]


def write(file, rows):
    match file.suffix:
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), file)
        case ".jsonl":
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        case _:
            file.write_text(json.dumps(rows))


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "json"])
def test_only_the_last_episode_of_a_trial_is_kept(tmp_path, suffix):
    write(tmp_path / f"rows.{suffix}", ROWS)
    result = read_trajectories(tmp_path / f"rows.{suffix}")
    assert [(t.extra["run_id"], t.extra["trial_name"], len(t.turns)) for t in result.trajectories] == [
        ("run-1", "a", 11),
        ("run-1", "b", 2),
        ("run-2", "a", 1),
    ]
    assert [entry.reason for entry in result.set_aside] == [
        f"an earlier episode of {trial}" for trial in "aba"
    ]


def test_the_files_of_one_folder_belong_together(tmp_path):
    write(tmp_path / "part-0.parquet", ROWS[:3])
    write(tmp_path / "part-1.parquet", ROWS[3:])
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    result = read_trajectories(tmp_path)
    assert len(result.trajectories) == 3
    assert len(result.set_aside) == 4


def test_the_same_episode_twice_counts_once(tmp_path):
    write(tmp_path / "rows.jsonl", [row("a", 1), row("a", 1)])
    result = read_trajectories(tmp_path)
    assert [entry.source.rpartition(":")[2] for entry in result.set_aside] == ["2"]


def test_a_sub_agent_is_not_the_main_conversation(tmp_path):
    rows = [row("a", 1, trace_source="main"), row("a", 5, trace_source="summarization-1-summary")]
    write(tmp_path / "rows.jsonl", rows)
    result = read_trajectories(tmp_path)
    assert len(result.trajectories) == 1
    assert "a sub-agent's conversation (summarization-1-summary)" in result.set_aside[0].reason


@pytest.mark.parametrize(
    "fields",
    [
        {"episode": None},
        {"trial_name": None, "run_id": None},
        {"run_id": 3},
        {"trial_name": "", "run_id": ""},
    ],
)
def test_rows_that_name_no_trial_are_all_kept(tmp_path, fields):
    write(tmp_path / "rows.jsonl", [row("a", n) | fields for n in range(3)])
    assert len(read_trajectories(tmp_path).trajectories) == 3


def test_a_line_that_is_broken_hides_nothing(tmp_path):
    odd = row("a", 0) | {"episode": {"x": 1}}
    lines = [json.dumps(row("a", 0)), "{", json.dumps(row("a", 1)), json.dumps(odd)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    result = read_trajectories(tmp_path / "rows.jsonl")
    assert [len(trajectory.turns) for trajectory in result.trajectories] == [2]
    assert len(result.set_aside) == 3
