import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats import read_trajectories, write_parquet
from terminal_lego.trajectory import Trajectory, Turn

ROW = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "task": "t"}


@pytest.mark.parametrize("name", ["gone", "a/b.json", "x" * 300])
def test_a_missing_path_is_one_sentence(tmp_path, name):
    with pytest.raises(TrajectoryError, match="does not exist") as caught:
        read_trajectories(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_folder_with_nothing_to_read_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(TrajectoryError, match="holds no trial folder"):
        read_trajectories(tmp_path)


def test_one_bad_line_among_many(tmp_path):
    lines = [json.dumps(ROW), "", "{", '"text"', "[" * 100_000, json.dumps(ROW | {"reward": 1})]
    (tmp_path / "rows.jsonl").write_bytes("\n".join(lines).encode() + b"\n\xff\xfe\n")
    result = read_trajectories(tmp_path)
    folder = tmp_path.name
    assert [t.id for t in result.trajectories] == [f"{folder}/rows.jsonl:1", f"{folder}/rows.jsonl:6"]
    assert [entry.source.rpartition(":")[2] for entry in result.set_aside] == ["3", "4", "5", "7"]
    assert "deep" in result.set_aside[2].reason


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.json", json.dumps([ROW, ROW])),
        ("lines.json", f"{json.dumps(ROW)}\n{json.dumps(ROW)}\n"),
        ("lines.jsonl", f"{json.dumps(ROW)}\r\n{json.dumps(ROW)}"),
        ("bom.jsonl", f"\ufeff{json.dumps(ROW)}\n{json.dumps(ROW)}"),
        ("anything.txt", f"{json.dumps(ROW)}\n{json.dumps(ROW)}"),
    ],
)
def test_rows_in_json_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode())
    result = read_trajectories(tmp_path / name)
    assert [trajectory.id for trajectory in result.trajectories] == [f"{name}:1", f"{name}:2"]
    assert result.set_aside == []


def test_a_line_separator_inside_a_line_does_not_end_it(tmp_path):
    row = {"messages": [{"role": "user", "content": "q\u2028\x85"}, {"role": "assistant", "content": "a"}]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    assert read_trajectories(tmp_path).trajectories[0].prompt == "q\u2028\x85"


def test_rows_in_parquet(tmp_path):
    pq.write_table(pa.Table.from_pylist([ROW, {"messages": [], "task": "t"}, ROW]), tmp_path / "rows.parquet")
    result = read_trajectories(tmp_path / "rows.parquet")
    assert [trajectory.id for trajectory in result.trajectories] == ["rows.parquet:1", "rows.parquet:3"]
    assert [entry.source for entry in result.set_aside] == [f"{tmp_path}/rows.parquet:2"]


def test_a_damaged_parquet_file_is_never_half_read(tmp_path):
    many = [Trajectory(f"{n}", "t", "m", f"{n} " * 50, (Turn("r"),)) for n in range(2000)]
    file = tmp_path / "many.parquet"
    write_parquet(many, file)
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = b"\xff" * 400
    file.write_bytes(data)
    result = read_trajectories(file)
    assert result.trajectories == []
    assert [entry.source for entry in result.set_aside] == [str(file)]


@pytest.mark.parametrize("name", ["junk.json", "junk.jsonl", "junk.parquet"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, b"[]", b"PAR1", b"1" * 5000, b'{"a": 1e999'])
def test_junk_is_set_aside(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    result = read_trajectories(tmp_path)
    assert result.trajectories == []
    assert len(result.set_aside) == 1
    assert result.set_aside[0].reason


def test_deep_and_own_looking_rows_are_set_aside(tmp_path):
    deep = "[" * 900 + "]" * 900
    row = json.dumps(ROW)[:-1] + f', "more": {deep}}}'
    own = json.dumps({"id": "a", "prompt": 3, "turns": [{"reply": 1}], "extra": "{}"})
    (tmp_path / "rows.jsonl").write_text(f"{row}\n{own}\n{json.dumps(ROW)}\n")
    result = read_trajectories(tmp_path)
    assert len(result.trajectories) + len(result.set_aside) == 3
    assert (
        "not one of our own rows: task"
        in {e.source: e.reason for e in result.set_aside}[f"{tmp_path}/rows.jsonl:2"]
    )


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "rows.json").write_text(json.dumps(ROW))
    result = read_trajectories(tmp_path)
    assert len(result.trajectories) == 1
    assert [entry.source for entry in result.set_aside] == [str(tmp_path / "loop.json")]


def test_an_id_is_read_once(tmp_path):
    one = Trajectory("same", "t", "m", "p", (Turn("r"),))
    for name in ("a", "b"):
        write_parquet([one], tmp_path / f"{name}.parquet")
    result = read_trajectories(tmp_path)
    assert result.trajectories == [one]
    assert [entry.source for entry in result.set_aside] == [f"{tmp_path}/b.parquet:1"]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
atif = ["schema_version", "steps", "agent", "source", "message", "observation", "extra"]
rollout = ["responses_create_params", "response", "input", "output", "type", "call_id", "metadata", "text"]
chat = ["messages", "conversations", "role", "content", "id", "prompt", "turns", "episode", "trial_name"]
keys = st.sampled_from([*atif, *rollout, *chat])
values = scalars | st.sampled_from(["ATIF-v1.5", "user", "agent", "assistant", "{}", "function_call"])
junk = st.recursive(
    values, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6)
)


@settings(deadline=None, max_examples=200)
@given(st.lists(junk, min_size=1, max_size=5))
def test_any_json_is_read_or_set_aside(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("t") / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    result = read_trajectories(file)
    assert len(result.trajectories) + len(result.set_aside) == len(rows)
