"""Data sets from the hub, over a scripted server: the network is never asked."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from terminal_lego.errors import TrajectoryError
from terminal_lego.formats import read_trajectories
from terminal_lego.formats.hub import is_hub_name
from tests.terminal_lego.formats.hub_server import COMMIT, Hub, serving

SECRET = "hf_thisIsNobodysToken"
ROOT = Path(__file__).parents[3]
ROW = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "\nr"}]}
FILES = {
    "README.md": b"# not asked for",
    "data/train.jsonl": json.dumps(ROW).encode() + b"\n{\n",
    "trial__1/agent/episode-0/response.txt": b"raw",
}
# The library reads its settings when it is imported, so every question is a process of its own.
SCRIPT = """
import json, sys
from terminal_lego.errors import TrajectoryError
from terminal_lego.formats import read_trajectories
try:
    result = read_trajectories(sys.argv[1])
    replies = {t.id: t.turns[0].reply for t in result.trajectories}
    print(json.dumps([replies, [a.reason for a in result.set_aside]]))
except TrajectoryError as error:
    print(json.dumps(str(error)))
"""


@pytest.fixture
def ask(tmp_path):
    def ask(source, url, **variables):
        settings = {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "cache"), "HF_TOKEN": SECRET}
        settings |= {"HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, source],
            env=os.environ | settings | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert SECRET not in done.stdout + done.stderr
        return json.loads(done.stdout)

    return ask


@pytest.fixture(scope="module")
def hub():
    files = {"some/set@main": FILES, "some/pictures@main": {"a.png": b"x"}, "some/old@v1": FILES}
    with serving(Hub(files, refused={"some/gated"})) as hub:
        yield hub


@pytest.mark.parametrize(("source", "name"), [("some/set", "some/set"), ("some/old@v1", "some/old")])
def test_a_data_set_is_read_like_a_folder(ask, hub, source, name):
    replies, reasons = ask(source, hub.url)
    assert replies == {f"{name}/data/train.jsonl:1": "\nr"}
    assert len(reasons) == 1
    fetched = [path.partition(f"/{name}/resolve/{COMMIT}/")[2] for path in hub.asked]
    assert set(filter(None, fetched)) == FILES.keys() - {"README.md"}
    assert f"Bearer {SECRET}" in hub.tokens


def test_what_was_fetched_is_read_again_without_a_network(ask, hub):
    first = ask("some/set", hub.url)
    assert ask("some/set", hub.url, HF_HUB_OFFLINE="1") == first


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("some/none", "neither a path here nor a data set"),
        ("some/set@v9", "no revision v9"),
        ("some/gated", "asks for permission"),
        ("some/pictures", "no .json, .jsonl or .parquet file"),
        ("some/..set", "cannot be the name"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(ask, hub, source, why):
    error = ask(source, hub.url)
    assert why in error
    assert error.startswith(source)
    assert "\n" not in error


def test_without_a_network_the_error_says_so(ask):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    assert "cannot be reached" in ask("some/set", url)
    assert "cannot be reached" in ask("some/set", url, HF_HUB_OFFLINE="1")


def test_a_folder_of_that_name_goes_first(ask, tmp_path):
    (tmp_path / "some" / "set").mkdir(parents=True)
    (tmp_path / "some" / "set" / "rows.jsonl").write_text(json.dumps(ROW))
    assert ask("some/set", "http://127.0.0.1:9") == [{"set/rows.jsonl:1": "\nr"}, []]


@pytest.mark.parametrize(
    ("source", "can_be"),
    [
        ("org/name", True),
        ("org/na.me_1-b@refs/pr/1", True),
        ("name", False),
        ("a/b/c", False),
        ("/org/name", False),
        ("./name", False),
        ("../name", False),
        ("jobs/rows.jsonl", False),
        ("org/name@", False),
        ("org/nämé", False),
    ],
)
def test_which_sources_can_name_a_data_set(source, can_be):
    assert is_hub_name(source) is can_be


def test_a_missing_file_is_never_looked_for_elsewhere():
    with pytest.raises(TrajectoryError, match="does not exist"):
        read_trajectories("nowhere/rows.parquet")
