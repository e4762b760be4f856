"""Files that somebody made to hurt: read, or set aside with a reason, soon and with little memory."""

import json
import os
import random
import tracemalloc

import pytest

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats import read_trajectories, write_parquet
from terminal_lego.trajectory import Trajectory, Turn

MIB = 2**20
ROW = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
STEPS = [{"source": "user", "message": "p"}, {"source": "agent", "message": "r"}]
ATIF = {"schema_version": "ATIF-v1.6", "agent": {"name": "terminus-2"}, "steps": STEPS}


@pytest.fixture
def frugal():
    """Fails a test that came to hold more than 600 MiB."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 600 * MIB


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize(
    ("name", "start"), [("a.jsonl", b'{"a": "'), ("a.json", b'{"a": "'), ("b.json", b'["')]
)
def test_a_line_of_100_mb(tmp_path, name, start):
    with (tmp_path / name).open("wb") as file:
        file.write(start)
        for _ in range(100):
            file.write(b"x" * MIB)
        file.write(b'"}\n' + json.dumps(ROW).encode())
    result = read_trajectories(tmp_path)
    assert "larger than 64 MiB" in result.set_aside[0].reason
    assert len(result.trajectories) == (1 if name == "a.jsonl" else 0)


@pytest.mark.usefixtures("frugal")
def test_a_trial_file_of_100_mb(tmp_path):
    file = tmp_path / "agent" / "trajectory.json"
    file.parent.mkdir()
    with file.open("wb") as stream:
        stream.truncate(100 * MIB)
    result = read_trajectories(tmp_path)
    assert [entry.reason.partition(",")[0] for entry in result.set_aside] == [
        "agent/trajectory.json: larger than 64 MiB"
    ]


DEEP = 100_000


@pytest.mark.parametrize("name", ["deep.json", "deep.jsonl"])
@pytest.mark.parametrize(
    "text",
    [
        "[" * DEEP + "]" * DEEP,
        '{"a":' * DEEP + "1" + "}" * DEEP,
        "[" * DEEP,
        json.dumps(ATIF)[:-1] + ', "extra": ' + "[" * DEEP + "]" * DEEP + "}",
    ],
)
def test_json_nested_100_000_deep(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    result = read_trajectories(tmp_path)
    assert result.trajectories == []
    assert [entry.reason for entry in result.set_aside] == ["JSON nested too deeply"]


@pytest.mark.parametrize("suffix", ["json", "jsonl", "parquet"])
@pytest.mark.parametrize("seed", range(3))
def test_binary_garbage(tmp_path, suffix, seed):
    garbage = random.Random(seed).randbytes(200_000)
    (tmp_path / f"a.{suffix}").write_bytes(garbage)
    (tmp_path / f"b.{suffix}").write_bytes(b"PAR1" + garbage + b"PAR1")
    result = read_trajectories(tmp_path)
    assert result.trajectories == []
    assert {entry.source.rpartition("/")[2][0] for entry in result.set_aside} == {"a", "b"}


def test_a_parquet_file_cut_anywhere_is_set_aside(tmp_path):
    file = tmp_path / "rows.parquet"
    write_parquet([Trajectory("id", "t", "m", "p", (Turn("r"),))], file)
    whole = file.read_bytes()
    for end in range(0, len(whole), 199):
        file.write_bytes(whole[:end])
        result = read_trajectories(file)
        assert (result.trajectories, len(result.set_aside)) == ([], 1)


@pytest.mark.parametrize("name", ["zero.json", "zero.jsonl", "zero.parquet"])
def test_devices_and_pipes_are_never_opened(tmp_path, name):
    (tmp_path / name).symlink_to("/dev/zero")
    os.mkfifo(tmp_path / f"pipe-{name}")
    (tmp_path / "rows.json").write_text(json.dumps(ROW))
    result = read_trajectories(tmp_path)
    assert len(result.trajectories) == 1
    assert [entry.reason for entry in result.set_aside] == ["not a regular file"] * 2
    assert read_trajectories(tmp_path / name).set_aside[0].reason == "not a regular file"


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.parquet", "agent/trajectory.json"])
def test_a_file_that_fails_while_it_is_read(tmp_path, name):
    (tmp_path / "agent").mkdir()
    (tmp_path / name).symlink_to("/proc/self/mem")
    result = read_trajectories(tmp_path)
    assert result.trajectories == []
    assert len(result.set_aside) == 1


def test_a_trial_made_of_devices_and_pipes(tmp_path):
    (tmp_path / "agent" / "episode-0").mkdir(parents=True)
    (tmp_path / "verifier").mkdir()
    lossy = {"source": "agent", "message": "Analysis: a\nPlan: p"}
    document = ATIF | {"steps": [STEPS[0], lossy], "continued_trajectory_ref": "next.json"}
    (tmp_path / "agent" / "trajectory.json").write_text(json.dumps(document))
    os.mkfifo(tmp_path / "agent" / "episode-0" / "response.txt")
    os.mkfifo(tmp_path / "agent" / "next.json")
    os.mkfifo(tmp_path / "verifier" / "reward.txt")
    assert "not a regular file" in read_trajectories(tmp_path).set_aside[0].reason
    (tmp_path / "agent" / "next.json").unlink()
    (tmp_path / "agent" / "trajectory.json").write_text(
        json.dumps(document | {"continued_trajectory_ref": None})
    )
    (trajectory,) = read_trajectories(tmp_path).trajectories
    assert not trajectory.turns[0].is_raw
    os.mkfifo(tmp_path / "result.json")
    assert read_trajectories(tmp_path).set_aside[0].reason == "result.json: not a regular file"


def test_links_in_circles_end(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "one.jsonl").symlink_to("two.jsonl")
    (tmp_path / "two.jsonl").symlink_to("one.jsonl")
    (tmp_path / "a" / "rows.jsonl").write_text(json.dumps(ROW))
    result = read_trajectories(tmp_path)
    assert len(result.trajectories) == 1
    assert len(result.set_aside) == 2
    with pytest.raises(TrajectoryError, match="does not exist"):
        read_trajectories(tmp_path / "one.jsonl")


@pytest.mark.parametrize("way_out", ["../../outside", "/etc/passwd", "~/.ssh/id_rsa"])
def test_paths_in_a_trial_are_text_and_lead_nowhere(tmp_path, way_out):
    trial = tmp_path / "in" / "t__1"
    (trial / "agent").mkdir(parents=True)
    (tmp_path / "outside").write_text(json.dumps(ATIF))
    references = [{"trajectory_path": way_out}]
    told = STEPS[1] | {"observation": {"results": [{"subagent_trajectory_ref": references}]}}
    document = ATIF | {"steps": [STEPS[0], told]}
    (trial / "agent" / "trajectory.json").write_text(json.dumps(document))
    (trial / "config.json").write_text(json.dumps({"task": {"path": way_out}}))
    (trial / "result.json").write_text(json.dumps({"trial_name": way_out}))
    (trajectory,) = read_trajectories(tmp_path / "in").trajectories
    assert trajectory.extra == {"subagents": 1, "trial": way_out}
    assert "/" not in trajectory.task
    (trial / "agent" / "trajectory.json").write_text(
        json.dumps(document | {"continued_trajectory_ref": way_out})
    )
    result = read_trajectories(tmp_path / "in")
    assert result.trajectories == []
    assert f"continues in {way_out}" in result.set_aside[0].reason


def test_markup_is_text(tmp_path):
    text = "<script>alert(1)</script><img src=x onerror=y>\x1b[31m\x00&amp;"
    said = [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
    (tmp_path / "rows.jsonl").write_text(json.dumps({"messages": said, "task": text}))
    (trajectory,) = read_trajectories(tmp_path).trajectories
    assert (trajectory.task, trajectory.prompt, trajectory.turns[0].reply) == (text, text, text)
