from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.errors import (
    RewardFileEmptyError,
    RewardFileNotFoundError,
    SandboxError,
    VerifierOutputParseError,
    VerifierTimeoutError,
)
from terminal_lego.harness.sandbox import DockerSandbox
from terminal_lego.harness.verifier import read_rewards, verify
from terminal_lego.task import Task

LOGS = "/logs/verifier"


@pytest.fixture
def run(engine, make_task: Callable[..., Task], tmp_path: Path) -> Callable[..., dict[str, float]]:
    """Verifies what `before` left in the container with the given test script."""

    def run(test: str, before: str = "true", multiplier: float = 1.0, **options: dict) -> dict[str, float]:
        task = make_task(test=test, **options)
        with DockerSandbox(engine, task, "trial") as sandbox:
            sandbox.exec(before)
            return verify(sandbox, task, tmp_path / "trial", multiplier=multiplier)

    return run


def rewards(folder: Path, files: dict[str, str]) -> dict[str, float]:
    for name, content in files.items():
        (folder / name).write_text(content)
    return read_rewards(folder)


@pytest.mark.parametrize("exit_code", [0, 1, 137])
@pytest.mark.parametrize("reward", [0, 1])
def test_the_exit_code_means_nothing(run, exit_code, reward):
    assert run(f"echo {reward} > {LOGS}/reward.txt; exit {exit_code}") == {"reward": reward}


def test_its_files_and_output_are_kept(run, tmp_path):
    run(f"echo 1 > {LOGS}/reward.txt; echo '{{}}' > {LOGS}/ctrf.json; echo seen; echo wrong >&2")
    folder = tmp_path / "trial" / "verifier"
    assert (folder / "test-stdout.txt").read_text() == "seen\nwrong\n"
    assert (folder / "ctrf.json").exists()


def test_what_the_agent_wrote_as_a_reward_is_removed(run):
    planted = f"echo 1 > {LOGS}/reward.txt; echo '{{\"reward\": 1}}' > {LOGS}/reward.json"
    with pytest.raises(RewardFileNotFoundError):
        run("true", before=planted)


def test_a_broken_log_folder_is_repaired(run):
    assert run(f"echo 1 > {LOGS}/reward.txt", before="rm -rf /logs/verifier") == {"reward": 1}


def test_a_log_folder_that_is_a_link_is_replaced(run):
    planted = "mkdir /elsewhere; rm -rf /logs/verifier; ln -s /elsewhere /logs/verifier"
    assert run(f"echo 1 > {LOGS}/reward.txt", before=planted) == {"reward": 1}


def test_tests_arrive_after_the_agent_and_run_in_the_workdir(run):
    before = "ls /tests > /app/seen 2>&1"
    assert run(f'pwd; grep -q "No such file" seen && [ $PWD = /app ] && echo 1 > {LOGS}/reward.txt', before)


def test_variables_reach_the_test(run):
    assert run(f'echo "$SCORE" > {LOGS}/reward.txt', verifier={"env": {"SCORE": "0.25"}}) == {"reward": 0.25}


def test_another_user_may_verify(run, tmp_path):
    planted = f"echo 1 > {LOGS}/reward.txt; echo mine > {LOGS}/test-stdout.txt"
    assert run(f"id -un; echo 0 > {LOGS}/reward.txt", planted, verifier={"user": "nobody"}) == {"reward": 0}
    assert (tmp_path / "trial" / "verifier" / "test-stdout.txt").read_text() == "nobody\n"


def test_scripts_need_no_executable_bit(engine, make_task, tmp_path):
    task = make_task(test=f"echo 1 > {LOGS}/reward.txt")
    (task.tests / "test.sh").chmod(0o644)
    with DockerSandbox(engine, task, "trial") as sandbox:
        assert verify(sandbox, task, tmp_path / "trial") == {"reward": 1}


def test_the_script_line_decides_the_interpreter(run):
    script = "#!/usr/bin/env python3\nopen('/logs/verifier/reward.txt', 'w').write('1')\n"
    assert run("unused", files={"tests/test.sh": script}) == {"reward": 1}


def test_too_long_is_typed_and_leaves_its_output(run, tmp_path):
    with pytest.raises(VerifierTimeoutError, match=r"0\.5 s"):
        run("echo begun; sleep 60", multiplier=0.5, verifier={"timeout_sec": 1})
    assert (tmp_path / "trial" / "verifier" / "test-stdout.txt").read_text() == "begun\n"


def test_a_lost_container_is_not_a_verdict(engine, make_task, tmp_path):
    task = make_task()
    with DockerSandbox(engine, task, "trial") as sandbox:
        engine.api.kill(sandbox.id)
        with pytest.raises(SandboxError):
            verify(sandbox, task, tmp_path)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"reward.txt": "0.5\n"}, {"reward": 0.5}),
        ({"reward.json": '{"reward": 1, "speed": 0.2}'}, {"reward": 1, "speed": 0.2}),
        ({"reward.json": '{"passed": true}'}, {"passed": 1}),
        ({"reward.json": '{"reward": 1}', "reward.txt": "0"}, {"reward": 1}),
    ],
)
def test_rewards(tmp_path, files, expected):
    assert rewards(tmp_path, files) == expected


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({}, RewardFileNotFoundError),
        ({"reward.txt": ""}, RewardFileEmptyError),
        ({"reward.json": ""}, RewardFileEmptyError),
        ({"reward.json": "", "reward.txt": "1"}, RewardFileEmptyError),
        ({"reward.txt": "\n"}, VerifierOutputParseError),
        ({"reward.txt": "passed"}, VerifierOutputParseError),
        ({"reward.txt": "1 2"}, VerifierOutputParseError),
        ({"reward.txt": "nan"}, VerifierOutputParseError),
        ({"reward.txt": "inf"}, VerifierOutputParseError),
        ({"reward.json": "1"}, VerifierOutputParseError),
        ({"reward.json": "{}"}, VerifierOutputParseError),
        ({"reward.json": '{"reward": "1"}'}, VerifierOutputParseError),
        ({"reward.json": '{"reward": null}'}, VerifierOutputParseError),
        ({"reward.json": '{"reward": {"a": 1}}'}, VerifierOutputParseError),
        ({"reward.json": '{"reward": NaN}'}, VerifierOutputParseError),
        ({"reward.json": '{"reward": 1' + "0" * 400 + "}"}, VerifierOutputParseError),
        ({"reward.json": '{"reward": 1}', "reward.txt": ""}, None),
        ({"reward.json": "[" * 100_000}, VerifierOutputParseError),
    ],
)
def test_reward_files_that_are_wrong(tmp_path, files, error):
    if error is None:
        assert rewards(tmp_path, files) == {"reward": 1}
    else:
        with pytest.raises(error):
            rewards(tmp_path, files)


@given(name=st.sampled_from(["reward.txt", "reward.json"]), content=st.binary(min_size=1))
def test_any_content_is_a_reward_or_a_typed_error(tmp_path_factory, name, content):
    folder = tmp_path_factory.mktemp("verifier")
    (folder / name).write_bytes(content)
    try:
        assert all(isinstance(value, float) for value in read_rewards(folder).values())
    except VerifierOutputParseError as error:
        assert name in str(error)
