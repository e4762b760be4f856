import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats import read_trajectories, write_messages, write_parquet, write_sharegpt
from terminal_lego.trajectory import Trajectory, Turn

WRITERS = [write_messages, write_sharegpt]
turns = st.builds(Turn, reply=st.text(max_size=40), observation=st.text(max_size=40))
trajectories = st.builds(
    Trajectory,
    id=st.text(min_size=1, max_size=9),
    task=st.text(max_size=9),
    model=st.text(max_size=9),
    prompt=st.text(max_size=40),
    turns=st.lists(turns, min_size=1, max_size=4).map(tuple),
    reward=st.none() | st.floats(-1, 2),
    source=st.text(max_size=9),
)
ONE = Trajectory("some/id", "t", "m", "\np\u2028", (Turn("\nr\r", "o"), Turn("é", "last")), 0.5, source="f:1")


@settings(deadline=None, max_examples=50)
@given(st.lists(trajectories, min_size=1, max_size=4), st.sampled_from(WRITERS))
def test_prompts_replies_and_outcome_come_back(tmp_path_factory, some, write):
    file = tmp_path_factory.mktemp("t") / "some.jsonl"
    assert write(iter(some), file) == len(some)
    result = read_trajectories(file)
    assert result.set_aside == []
    assert [t.messages() for t in result.trajectories] == [t.messages() for t in some]
    for read, given_one in zip(result.trajectories, some, strict=True):
        assert (read.task, read.model, read.reward) == (given_one.task, given_one.model, given_one.reward)
        assert (read.extra["id"], read.extra["source"]) == (given_one.id, given_one.source)


def test_the_rows_are_what_other_trainers_expect(tmp_path):
    write_messages([ONE], tmp_path / "m.jsonl")
    write_sharegpt([ONE], tmp_path / "s.jsonl")
    common = {"id": "some/id", "task": "t", "model": "m", "reward": 0.5, "source": "f:1", "is_raw": True}
    assert json.loads((tmp_path / "m.jsonl").read_bytes()) == {"messages": ONE.messages()} | common
    speakers = [("human", "\np\u2028"), ("gpt", "\nr\r"), ("human", "o"), ("gpt", "é")]
    conversations = [{"from": name, "value": text} for name, text in speakers]
    assert json.loads((tmp_path / "s.jsonl").read_bytes()) == {"conversations": conversations} | common


@pytest.mark.parametrize("write", WRITERS)
def test_a_reconstruction_is_not_passed_off_as_what_a_model_wrote(tmp_path, write):
    doubtful = Trajectory("id", "t", "m", "p", (Turn("prose"), Turn("more prose", is_raw=False)))
    write([doubtful], tmp_path / "rows.jsonl")
    (read,) = read_trajectories(tmp_path).trajectories
    assert not any(turn.is_raw for turn in read.turns)


@pytest.mark.parametrize("write", [*WRITERS, write_parquet])
def test_a_failure_half_way_leaves_the_old_file(tmp_path, write):
    file = tmp_path / "rows.jsonl"
    file.write_text("old")

    def some():
        yield ONE
        yield Trajectory("id", "t", "m", "\ud800", ())

    with pytest.raises(TrajectoryError, match="surrogate"):
        write(some(), file)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
    assert file.read_text() == "old"


def test_other_trainers_can_load_them(tmp_path):
    from datasets import load_dataset

    write_messages([ONE], tmp_path / "m.jsonl")
    (row,) = load_dataset("json", data_files=str(tmp_path / "m.jsonl"), cache_dir=str(tmp_path / "c"))[
        "train"
    ]
    assert row["messages"] == ONE.messages()
    assert row["reward"] == 0.5
