"""Our own Parquet: the columns others see, and the digest of what is in it."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats import parquet, parquet_rows, read_digest, read_trajectories, write_parquet
from terminal_lego.trajectory import Trajectory, Turn

TURNS = (Turn("r", "o", reasoning="hm", prompt_tokens=3, seconds=0.5), Turn("s", is_raw=False))
ONE = Trajectory("id", "t", "m", "p", TURNS, 1.0, extra={"a": 1, "b": [None, "é"]})
MANY = [replace(ONE, id=f"id-{n}") for n in range(20)]


def digest_of(tmp_path, *trajectories):
    return write_parquet(trajectories, tmp_path / "some.parquet")


def test_the_digest_is_kept_in_the_file(tmp_path):
    digest = write_parquet(MANY, tmp_path / "some.parquet")
    assert read_digest(tmp_path / "some.parquet") == digest
    assert len(digest) == 64


def test_the_digest_does_not_depend_on_row_groups(tmp_path, monkeypatch):
    digest = digest_of(tmp_path, *MANY)
    monkeypatch.setattr(parquet, "_ROW_GROUP", 3)
    assert digest_of(tmp_path, *MANY) == digest
    assert pq.ParquetFile(tmp_path / "some.parquet").metadata.num_row_groups == 7
    monkeypatch.setattr(parquet, "_ROW_GROUP_CHARACTERS", 1)
    assert digest_of(tmp_path, *MANY) == digest
    assert pq.ParquetFile(tmp_path / "some.parquet").metadata.num_row_groups == 20


def test_what_was_read_has_the_digest_of_what_was_written(tmp_path):
    digest = digest_of(tmp_path, *MANY)
    again = read_trajectories(tmp_path / "some.parquet").trajectories
    assert write_parquet(again, tmp_path / "again.parquet") == digest


def test_equal_trajectories_have_one_digest(tmp_path):
    other = replace(ONE, reward=1, extra={"b": [None, "é"], "a": 1})
    assert other == ONE
    assert digest_of(tmp_path, other) == digest_of(tmp_path, ONE)


@given(st.sampled_from(["id", "task", "model", "prompt", "exception", "source", "agent", "agent_version"]))
@settings(deadline=None, max_examples=20)
def test_one_changed_character_changes_it(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("t")
    assert digest_of(folder, replace(ONE, **{name: "x"})) != digest_of(folder, replace(ONE, **{name: "X"}))


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, turns=(replace(TURNS[0], reply="R"), TURNS[1])),
        replace(ONE, turns=(replace(TURNS[0], observation="O"), TURNS[1])),
        replace(ONE, turns=(replace(TURNS[0], is_copied=True), TURNS[1])),
        replace(ONE, turns=TURNS[::-1]),
        replace(ONE, reward=None),
        replace(ONE, extra={"a": 1, "b": [None, "e"]}),
    ],
)
def test_any_other_content_changes_it(tmp_path, other):
    assert digest_of(tmp_path, other) != digest_of(tmp_path, ONE)


def test_the_order_of_rows_counts(tmp_path):
    assert digest_of(tmp_path, *MANY) != digest_of(tmp_path, *MANY[::-1])


@pytest.mark.parametrize(
    ("content", "why"), [(b"PAR1", "not a readable Parquet file"), (None, "holds no data digest")]
)
def test_other_files_have_none(tmp_path, content, why):
    file = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), file) if content is None else file.write_bytes(content)
    with pytest.raises(TrajectoryError, match=why):
        read_digest(file)


def test_datasets_sees_the_same_types(tmp_path):
    from datasets import Features, List, Value, load_dataset

    write_parquet(MANY, tmp_path / "some.parquet")
    rows = load_dataset(
        "parquet", data_files=str(tmp_path / "some.parquet"), cache_dir=str(tmp_path / "cache")
    )["train"]
    text, count = Value("string"), Value("int64")
    turn = {"reply": text, "observation": text, "is_raw": Value("bool"), "is_copied": Value("bool")}
    turn |= {
        "reasoning": text,
        "prompt_tokens": count,
        "completion_tokens": count,
        "seconds": Value("float64"),
        "finish_reason": text,
        "parser": text,
    }
    columns = dict.fromkeys(["id", "task", "model", "prompt"], text) | {"turns": List(turn)}
    columns |= {"reward": Value("float64")}
    columns |= dict.fromkeys(["exception", "source", "agent", "agent_version", "extra"], text)
    assert rows.features == Features(columns)
    assert rows[0]["turns"][0]["reply"] == "r"
    assert rows[0]["turns"][0]["seconds"] == 0.5


def test_a_flipped_bit_never_changes_what_is_read(tmp_path):
    file = tmp_path / "some.parquet"
    written = [replace(ONE, prompt="".join(map(chr, range(33, 2000))))]
    write_parquet(written, file)
    noticed = 0
    whole = file.read_bytes()
    for place in range(4, len(whole) // 2, 97):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        result = read_trajectories(file)
        assert result.trajectories in ([], written)
        noticed += len(result.set_aside)
    assert noticed


def test_text_that_is_not_utf8_is_set_aside_whole(tmp_path):
    chats = pa.array(['[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]'] * 99)
    names = pa.array([b"good"] * 98 + [b"\xff"]).view(pa.string())
    pq.write_table(pa.table({"messages": chats, "task": names}), tmp_path / "rows.parquet")
    result = read_trajectories(tmp_path / "rows.parquet")
    assert result.trajectories == []
    assert "not a readable Parquet file" in result.set_aside[0].reason


def test_a_row_that_is_too_large_is_set_aside_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_rows, "MAX_ROW", 5000)
    rows = [replace(ONE, id="a"), replace(ONE, id="b", prompt="x" * 6000), replace(ONE, id="c")]
    write_parquet(rows, tmp_path / "some.parquet")
    result = read_trajectories(tmp_path / "some.parquet")
    assert [trajectory.id for trajectory in result.trajectories] == ["a", "c"]
    assert [entry.source.rpartition(":")[2] for entry in result.set_aside] == ["2"]
