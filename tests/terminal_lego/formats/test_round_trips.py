"""What we write we read back, to the last character."""

import json

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats import read_trajectories, write_atif, write_parquet
from terminal_lego.trajectory import Trajectory, Turn

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
turns = st.builds(
    Turn,
    reply=st.text(max_size=60),
    observation=st.text(max_size=60),
    is_raw=st.booleans(),
    is_copied=st.booleans(),
    reasoning=st.none() | st.text(max_size=20),
    prompt_tokens=st.none() | st.integers(0, 10**6),
    completion_tokens=st.none() | st.integers(0, 10**6),
    seconds=st.none() | st.floats(0, 1e6),
    finish_reason=st.none() | st.sampled_from(["stop", "length"]),
)
trajectories = st.builds(
    Trajectory,
    id=st.text(min_size=1, max_size=20),
    task=st.text(max_size=9),
    model=st.text(max_size=9),
    prompt=st.text(max_size=60),
    turns=st.lists(turns, max_size=4).map(tuple),
    reward=st.none() | st.floats(-1, 2),
    exception=st.none() | st.just("AgentTimeoutError"),
    source=st.text(max_size=9),
    agent=st.text(max_size=9),
    agent_version=st.text(max_size=9),
    extra=st.dictionaries(st.text(max_size=5), json_values, max_size=3),
)
AWKWARD = Trajectory(
    "id",
    "task",
    "m",
    "\r\n\u2028\x00<|im_end|>",
    (Turn('Analysis: said so {"a": 1}\r', "é\U0001f600"), Turn("  \n")),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(trajectories, min_size=1, max_size=4, unique_by=lambda t: t.id))
def test_parquet(tmp_path_factory, given_trajectories):
    file = tmp_path_factory.mktemp("t") / "some.parquet"
    write_parquet(given_trajectories, file)
    result = read_trajectories(file)
    assert result.trajectories == given_trajectories
    assert result.set_aside == []


@settings(deadline=None, max_examples=60)
@given(trajectories)
def test_atif(tmp_path_factory, trajectory):
    file = tmp_path_factory.mktemp("t") / "some.json"
    write_atif(trajectory, file)
    assert read_trajectories(file).trajectories == [trajectory]


@pytest.mark.parametrize("write", [lambda t, f: write_parquet([t], f.with_suffix(".parquet")), write_atif])
def test_awkward_text_survives(tmp_path, write):
    write(AWKWARD, tmp_path / "some.json")
    assert read_trajectories(tmp_path).trajectories == [AWKWARD]


def test_many_rows_keep_their_order(tmp_path):
    many = [Trajectory(f"id-{n}", "t", "m", "p", (Turn("r"),)) for n in range(600)]
    write_parquet(iter(many), tmp_path / "many.parquet")
    assert read_trajectories(tmp_path / "many.parquet").trajectories == many
    columns = pq.ParquetFile(tmp_path / "many.parquet").metadata.row_group(0)
    assert {columns.column(n).compression for n in range(columns.num_columns)} == {"ZSTD"}


def test_the_atif_file_is_valid_for_others(tmp_path):
    write_atif(AWKWARD, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_bytes())
    assert document["schema_version"] == "ATIF-v1.8"
    assert [step["step_id"] for step in document["steps"]] == [1, 2, 3]
    assert document["steps"][1]["message"] == AWKWARD.turns[0].reply
    assert document["steps"][1]["observation"] == {"results": [{"content": AWKWARD.turns[0].observation}]}
    assert "null" not in (tmp_path / "a.json").read_text()


@pytest.mark.parametrize("name", ["a.parquet", "a.json"])
def test_half_a_surrogate_pair_is_refused_and_leaves_no_file(tmp_path, name):
    broken = Trajectory("id", "t", "m", "p", (Turn("\ud800"),))
    with pytest.raises(TrajectoryError, match="surrogate"):
        write_parquet([broken], tmp_path / name) if name.endswith("parquet") else write_atif(
            broken, tmp_path / name
        )
    assert list(tmp_path.iterdir()) == []
