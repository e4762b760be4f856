import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHIPPED = ("terminal_lego", "train", "eval", "recipes", "conf", "slurm")


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    done = run(sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, ROOT)
    assert done.returncode == 0, done.stderr
    [file] = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> Path:
    """The interpreter of an environment with the wheel in it, and the dependencies of this one."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home)
    python = home / "bin" / "python"
    command = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    done = run(*command)
    assert done.returncode == 0, done.stderr
    [site] = home.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_holds_every_file_of_the_packages(wheel):
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *SHIPPED).stdout
    expected = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    assert {"conf/config.yaml", "recipes/quickstart.yaml", "train/__main__.py"} <= expected
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected


def test_training_answers_from_an_installation(python, tmp_path):
    done = run(python, "-m", "train", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "quickstart" in done.stdout
    done = run(python, "-m", "train", "recipe=quickstart", "--cfg", "job", "--resolve", cwd=tmp_path)
    assert str(python.parent.parent) in done.stdout
    assert str(ROOT) not in done.stdout


def test_the_command_is_installed(python, tmp_path):
    done = run(python.parent / "terminal-lego", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "engine" in done.stdout


def test_pinned_versions_cover_the_dependencies_and_name_no_machine():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = dict(line.split("==") for line in lines)
    assert not [name for name in pinned if name.startswith(("nvidia", "cuda")) or name == "triton"]
    assert not [version for version in pinned.values() if "+" in version]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {line.partition(">=")[0].lower().replace("_", "-") for line in wanted}
    assert names <= {name.lower().replace("_", "-") for name in pinned}
