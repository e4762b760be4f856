import pytest

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats import SetAside, iter_trajectories, read_trajectories, write_sharegpt
from terminal_lego.formats.reading import split_model
from terminal_lego.trajectory import Trajectory, Turn


@pytest.fixture
def rows(tmp_path):
    file = tmp_path / "rows.jsonl"
    reply = '{"analysis": "", "plan": "", "commands": []}'
    write_sharegpt([Trajectory("1", "task", "", "prompt", (Turn(reply),))], file)
    return file


def test_the_user_says_whose_trajectories_they_are(rows):
    (unnamed,) = read_trajectories(rows).trajectories
    (named,) = read_trajectories(f"deepseek-v3.2={rows}").trajectories
    assert (unnamed.model, named.model) == ("", "deepseek-v3.2")
    assert named.turns == unnamed.turns and named.source == unnamed.source


def test_what_is_set_aside_stays_so(rows):
    rows.write_text("{}\n")
    (found,) = iter_trajectories(f"m={rows}")
    assert isinstance(found, SetAside)


@pytest.mark.parametrize("source", ["/no/such=place/rows.json", "./a=b", "rows.json", "=x"])
def test_a_path_is_no_name(source):
    assert split_model(source) == ("", source)


def test_a_file_with_such_a_name_is_read(rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows.rename("a=b.jsonl")
    assert len(read_trajectories("a=b.jsonl").trajectories) == 1
    with pytest.raises(TrajectoryError, match="nowhere does not exist"):
        read_trajectories("model=nowhere")
