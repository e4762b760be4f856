import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from docker.errors import ImageNotFound

from terminal_lego.errors import SandboxBuildFailedError, TaskError
from terminal_lego.harness.agents.nop import Nop
from terminal_lego.harness.bake import bake
from terminal_lego.harness.round_trip import round_trip
from terminal_lego.harness.sandbox import DockerSandbox
from terminal_lego.harness.trial import run_trial
from terminal_lego.task import BAKED, Task, read_task

REWARD = "/logs/verifier/reward.txt"
# Stands for a package manager: with a network, the tool comes; without, only one that is there works.
TEST = f"""
if [ -e /sys/class/net/eth0 ]; then
    printf '#!/bin/sh\\ntest -e out.txt' > /usr/local/bin/judge; chmod +x /usr/local/bin/judge
fi
touch left-behind
[ -x /usr/local/bin/judge ] || echo 'curl: (6) Could not resolve host: a.org'
judge && echo 1 > {REWARD} || echo 0 > {REWARD}
"""


@pytest.fixture
def baked(engine, make_task: Callable[..., Task]):
    """Bakes a task, and removes its image afterwards."""
    tags = []

    def make(**options) -> Task:
        task = bake(engine, make_task(**options))
        tags.append(task.baked)
        return task

    yield make
    for tag in tags:
        with suppress(ImageNotFound):
            engine.images.remove(tag)


def test_a_baked_task_is_verified_without_a_network(engine, baked, tmp_path):
    task = baked(test=TEST, environment={"network_mode": "public", "env": {"API_KEY": "not-in-the-image"}})
    assert task.baked == json.loads((task.path / BAKED).read_text())["image"]
    (verdict,) = round_trip([task], tmp_path / "job", client=engine)
    assert verdict.holds
    assert "not-in-the-image" not in str(engine.images.get(task.baked).attrs)
    with DockerSandbox(engine, task, "trial") as sandbox:
        assert (
            sandbox.exec("ls /app /tests /logs/verifier 2>/dev/null").output == "/app:\n\n/logs/verifier:\n"
        )


def test_tools_that_cannot_be_had_are_named(engine, make_task):
    test = "echo 'E: Unable to locate package judge'; echo 0 > /logs/verifier/reward.txt"
    task = make_task(test=test)
    with pytest.raises(TaskError, match=r"apt could not fetch .*: E: Unable to locate package judge"):
        bake(engine, task)
    assert not (task.path / BAKED).exists()


def test_tests_that_change_the_task_are_refused(engine, make_task):
    task = make_task(test="echo more >> data", files={"environment/data": "once\n"})
    with pytest.raises(TaskError, match=r"tests change \./data"):
        bake(engine, task)


def test_what_cannot_be_baked_is_refused(make_task):
    with pytest.raises(TaskError, match="verified in place"):
        bake(None, make_task(verifier={"environment_mode": "separate"}))


def test_a_task_that_changed_must_be_baked_again(engine, make_task, tmp_path):
    task = make_task()
    (task.path / BAKED).write_text('{"image": "terminal-lego/baked:0"}')
    result = run_trial(read_task(task.path), Nop(), tmp_path / "job" / "a", client=engine)
    assert result.exception_type == "TaskError"
    assert "bake it again" in result.data["exception_info"]["exception_message"]


def test_an_image_that_is_gone_is_named(engine, baked, tmp_path):
    task = baked()
    engine.images.remove(task.baked)
    with pytest.raises(SandboxBuildFailedError, match="tasks bake"), DockerSandbox(engine, task, "trial"):
        pass


def test_a_package_from_the_network(engine, baked, tmp_path):
    test = f"apt-get update -q; apt-get install -qy time\n[ -x /usr/bin/time ] && echo 1 > {REWARD}"
    try:
        task = baked(test=test, environment={"network_mode": "public"})
    except TaskError as error:
        pytest.skip(f"no package mirror: {error}")
    assert run_trial(task, Nop(), tmp_path / "job" / "a", client=engine).reward == 1
