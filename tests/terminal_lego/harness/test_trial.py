import json
import os
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from terminal_lego.errors import (
    AgentTimeoutError,
    ContextLengthExceededError,
    ModelUnavailableError,
    SandboxError,
)
from terminal_lego.harness import disk
from terminal_lego.harness.agents import AgentResult
from terminal_lego.harness.agents.nop import Nop
from terminal_lego.harness.agents.oracle import Oracle
from terminal_lego.harness.engine import BASE_IMAGE
from terminal_lego.harness.record import read_result
from terminal_lego.harness.sandbox import JOB_LABEL
from terminal_lego.harness.trial import TrialResult, TrialSettings, run_trial
from terminal_lego.task import Task

SOLVE = "echo done > out.txt"
JOB = f"trial-{os.getpid()}"


class Acts:
    """An agent that runs one command, then ends as told."""

    name, version, model = "acts", "1", "maker/tiny"

    def __init__(self, command: str = SOLVE, error: BaseException | None = None):
        self.command, self.error = command, error

    def run(self, task, sandbox, trial_dir, deadline) -> AgentResult:
        sandbox.exec(self.command)
        if self.error:
            raise self.error
        return AgentResult(turns=2, prompt_tokens=30, completion_tokens=4)


@pytest.fixture
def run(engine, make_task: Callable[..., Task], tmp_path: Path) -> Callable[..., TrialResult]:
    """Runs one trial and checks what holds for all: a record that reads back, and no container left."""

    def run(agent_, settings: TrialSettings | None = None, cancelled=None, **options) -> TrialResult:
        trial_dir = tmp_path / "job" / f"{options.get('name', 'task')}__0000000"
        result = run_trial(
            make_task(**options), agent_, trial_dir, settings, client=engine, job=JOB, cancelled=cancelled
        )
        assert read_result(trial_dir).data == json.loads(json.dumps(result.data))
        assert engine.containers.list(all=True, filters={"label": f"{JOB_LABEL}={JOB}"}) == []
        return result

    return run


def test_oracle_is_one_and_nop_is_zero(run):
    assert run(Oracle(), name="solved").reward == 1
    assert run(Nop(), name="untouched").reward == 0


def test_the_record_has_harbors_shape(run):
    result = run(Acts())
    data = result.data
    assert data["task_name"] == "task"
    assert data["trial_name"] == result.path.name
    assert data["agent_info"] == {
        "name": "acts",
        "version": "1",
        "model_info": {"name": "tiny", "provider": "maker"},
    }
    assert data["verifier_result"] == {"rewards": {"reward": 1.0}}
    assert data["exception_info"] is None
    assert (data["agent_result"]["n_input_tokens"], data["agent_result"]["n_output_tokens"]) == (30, 4)
    assert result.turns == data["agent_result"]["metadata"]["n_episodes"] == 2
    moments = [data["started_at"]]
    for phase in ("environment_setup", "agent_execution", "verifier"):
        moments += data[phase]["started_at"], data[phase]["finished_at"]
    assert moments == sorted(moments)
    names = {path.name for path in result.path.iterdir()}
    assert names == {"config.json", "result.json", "trial.log", "agent", "verifier", "artifacts"}


def test_the_oracles_output_and_failure_are_kept(run):
    result = run(Oracle(), solution="echo $DEBIAN_FRONTEND $PWD; exit 7")
    assert (result.path / "agent" / "oracle.txt").read_text() == "noninteractive /app\n"
    assert (result.path / "agent" / "exit-code.txt").read_text() == "7\n"
    assert (result.reward, result.exception_type) == (0, None)


def test_the_oracle_needs_a_solution(run):
    result = run(Oracle(), solution=None)
    assert result.exception_type == "TaskError"
    assert result.is_infrastructure_error


def test_time_used_up_with_the_task_solved_is_one(run):
    result = run(Oracle(), solution=f"{SOLVE}; sleep 60", agent={"timeout_sec": 1})
    assert (result.reward, result.exception_type) == (1, "AgentTimeoutError")
    assert not result.is_infrastructure_error
    assert "AgentTimeoutError" in (result.path / "exception.txt").read_text()


@pytest.mark.parametrize("error", [ContextLengthExceededError("full"), AgentTimeoutError("late")])
def test_what_the_agent_used_up_is_verified(run, error):
    result = run(Acts(error=error))
    assert (result.reward, result.exception_type) == (1, type(error).__name__)


@pytest.mark.parametrize("error", [ModelUnavailableError("503"), SandboxError("gone"), KeyError("bug")])
def test_any_other_error_is_not_verified(run, error):
    result = run(Acts(f"{SOLVE}; echo clue > /logs/agent/clue.txt", error))
    assert (result.reward, result.exception_type) == (None, type(error).__name__)
    assert result.is_infrastructure_error
    assert result.data["verifier"] is None
    assert (result.path / "agent" / "clue.txt").read_text() == "clue\n"


def test_a_failing_verifier_outweighs_the_agents_error(run):
    result = run(Acts(error=AgentTimeoutError("late")), test="true")
    assert (result.reward, result.exception_type) == (None, "RewardFileNotFoundError")
    assert result.is_infrastructure_error


def test_multiplier_scales_the_verifier(run):
    settings = TrialSettings(timeout_multiplier=0.1)
    result = run(Nop(), settings, test="sleep 60", verifier={"timeout_sec": 10})
    assert result.exception_type == "VerifierTimeoutError"


def test_an_image_that_cannot_be_had_is_recorded(run):
    result = run(Nop(), environment={"docker_image": "localhost:1/nothing:1"})
    assert result.exception_type == "SandboxBuildFailedError"
    assert result.data["agent_execution"] is None


def test_a_task_that_is_not_supported_is_recorded(run):
    assert run(Nop(), environment={"gpus": 1}).exception_type == "TaskError"


def test_health_is_waited_for(run):
    check = {"command": "test -e /ready || { touch /ready; false; }", "interval_sec": 0.01}
    assert run(Oracle(), environment={"healthcheck": check}).reward == 1


def test_without_health_there_is_no_trial(run):
    check = {"command": "echo >> /tries; sleep 9", "timeout_sec": 0.2, "interval_sec": 0.01, "retries": 2}
    result = run(Oracle(), environment={"healthcheck": check})
    assert (result.reward, result.exception_type) == (None, "HealthcheckError")


def test_artifacts_and_hooks(run):
    made = "mkdir -p deep/skip; touch deep/skip/b deep/c deep/d.o"
    result = run(
        Acts(f"{SOLVE}; echo published > /logs/artifacts/a; {made}"),
        artifacts=[
            "/app/out.txt",
            {"source": "/made", "destination": "../made.txt"},
            "/missing",
            {"source": "/app/deep", "exclude": ["skip", "*.o"]},
            {"source": "/app/deep/c", "destination": "manifest.json"},
        ],
        verifier={"collect": [{"command": "echo made > /made"}, {"command": "sleep 9", "timeout_sec": 0.2}]},
    )
    folder = result.path / "artifacts"
    kept = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert kept == {"app/out.txt", "made.txt", "app/deep/c", "logs/artifacts/a", "manifest.json"}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [(entry["destination"], entry["type"], entry["status"]) for entry in manifest] == [
        ("artifacts/logs/artifacts", "directory", "ok"),
        ("artifacts/app/out.txt", "file", "ok"),
        ("artifacts/made.txt", "file", "ok"),
        ("artifacts/missing", "directory", "failed"),
        ("artifacts/app/deep", "directory", "ok"),
        ("artifacts/manifest.json", "directory", "skipped"),
    ]
    assert result.reward == 1


def test_what_is_hostile_in_artifacts_is_left_out(run):
    plant = "ln -s /etc/passwd /logs/artifacts/link; mkfifo /logs/artifacts/pipe; ln -s /etc /logs/agent/etc"
    result = run(
        Acts(f"{SOLVE}; {plant}; echo 1 > /logs/artifacts/plain"), artifacts=["/logs/artifacts/link"]
    )
    assert [p.name for p in (result.path / "artifacts" / "logs" / "artifacts").iterdir()] == ["plain"]
    assert list((result.path / "agent").iterdir()) == []
    assert result.reward == 1


@pytest.mark.parametrize("reward", ["echo 0 > $R", "true"])
def test_a_verifier_without_its_tools_gives_no_reward(run, reward):
    test = f"R=/logs/verifier/reward.txt; echo 'curl: (6) Could not resolve host: a.org'; {reward}"
    result = run(Acts(), test=test)
    assert (result.reward, result.exception_type) == (None, "VerifierBootstrapError")
    assert result.is_infrastructure_error


def test_a_verifier_out_of_memory_is_named(run):
    hog = "python3 -c 'bytearray(400_000_000)' || exit"
    result = run(Acts(), test=f"{hog}; echo 0 > /logs/verifier/reward.txt", environment={"memory_mb": 64})
    assert (result.reward, result.exception_type) == (None, "MemoryLimitExceededError")
    assert result.is_infrastructure_error


def test_a_container_that_fills_the_disk_is_ended_and_named(run, monkeypatch):
    monkeypatch.setattr(disk, "SECONDS", 0.1)
    agent = Acts("head -c 30000000 /dev/zero > /big; sleep 600")
    result = run(agent, environment={"storage_mb": 20})
    assert (result.reward, result.exception_type) == (None, "StorageLimitExceededError")
    assert "30 MB, 20 are its limit" in result.data["exception_info"]["exception_message"]


def test_memory_that_an_agent_ran_out_of_is_its_own_affair(run):
    result = run(Acts(f"python3 -c 'bytearray(400_000_000)'; {SOLVE}"), environment={"memory_mb": 64})
    assert (result.reward, result.exception_type) == (1, None)


def test_tests_that_do_not_arrive_are_typed(run):
    result = run(Acts(f"{SOLVE}; touch /tests"))
    assert (result.reward, result.exception_type) == (None, "AddTestsDirError")


def test_secrets_are_scrubbed(run, monkeypatch):
    monkeypatch.setenv("JUDGE_API_KEY", 'quoted"secret')
    monkeypatch.setenv("SHORT_KEY", "echo")
    result = run(
        Acts(f"{SOLVE}; echo $PASSWORD | tee /logs/agent/shown.txt"),
        test="echo $JUDGE; echo 1 > /logs/verifier/reward.txt",
        environment={"env": {"PASSWORD": "from-the-table"}},
        verifier={"env": {"JUDGE": "${JUDGE_API_KEY}"}},
    )
    assert (result.path / "agent" / "shown.txt").read_text() == "[PASSWORD]\n"
    assert (result.path / "verifier" / "test-stdout.txt").read_text() == "[JUDGE_API_KEY]\n"
    assert result.reward == 1


def test_secrets_are_scrubbed_from_the_result(run, monkeypatch):
    monkeypatch.setenv("JUDGE_API_KEY", 'quoted"secret')
    result = run(Acts(error=ModelUnavailableError('401 for quoted"secret')))
    assert result.data["exception_info"]["exception_message"] == "401 for [JUDGE_API_KEY]"


def test_phases_have_their_own_network(run):
    seen = "ls /sys/class/net | grep -c eth"
    result = run(
        Acts(f"{seen} > agent.txt; {SOLVE}"),
        test=f'[ "$(cat agent.txt)" = 1 ] && [ "$({seen})" = 0 ] && echo 1 > /logs/verifier/reward.txt',
        agent={"network_mode": "public"},
        verifier={"network_mode": "no-network"},
    )
    assert result.reward == 1


SEPARATE = {"environment_mode": "separate"}


def test_a_separate_verifier_sees_only_artifacts(run):
    found = "[ ! -e /app/out.txt ] && [ -x /tests/test.sh ]"
    result = run(
        Acts(f"{SOLVE}; cp out.txt /logs/artifacts; mkdir /srv/deep; echo deep > /srv/deep/file"),
        test=f"{found} && cat /logs/artifacts/out.txt /srv/deep/file && echo 1 > /logs/verifier/reward.txt",
        artifacts=["/srv/deep"],
        verifier=SEPARATE,
    )
    assert (result.path / "verifier" / "test-stdout.txt").read_text() == "done\ndeep\n"
    assert (result.reward, result.data["verifier_environment_mode"]) == (1, "separate")


def test_an_agent_cannot_write_the_verdict_of_a_separate_verifier(run):
    planted = (
        "echo 1 > /logs/verifier/reward.txt; echo 1 > /logs/artifacts/reward.txt; echo kept > /logs/agent/a"
    )
    result = run(Acts(planted), test="true", verifier=SEPARATE)
    assert (result.reward, result.exception_type) == (None, "RewardFileNotFoundError")
    assert (result.path / "agent" / "a").read_text() == "kept\n"


def test_a_separate_verifier_has_its_own_network_and_limits(run):
    own = {"network_mode": "public", "memory_mb": 96}
    limit = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"
    test = (
        f"[ -e /sys/class/net/eth0 ] && [ $({limit}) = {96 * 2**20} ] && echo 1 > /logs/verifier/reward.txt"
    )
    assert run(Acts("[ ! -e /sys/class/net/eth0 ]"), test=test, verifier={"environment": own}).reward == 1


def test_an_image_for_the_verifier_brings_its_tests(run, engine):
    image = f"terminal-lego/test-grader:{os.getpid()}"
    script = "#!/bin/sh\\necho $WHERE > /logs/verifier/reward.txt\\n"
    lines = [
        f"FROM {BASE_IMAGE}",
        f"RUN mkdir /tests; printf '{script}' > /tests/test.sh; chmod +x /tests/test.sh",
    ]
    engine.images.build(fileobj=BytesIO("\n".join(lines).encode()), tag=image, rm=True)
    try:
        result = run(
            Acts(),
            test="echo 0 > /logs/verifier/reward.txt",
            verifier={"environment": {"docker_image": image}, "env": {"WHERE": "0.5"}},
        )
    finally:
        engine.images.remove(image)
    assert result.reward == 0.5


def test_what_an_agent_used_is_read_from_its_trajectory(run):
    class Breaks(Acts):
        def run(self, task, sandbox, trial_dir, deadline):
            steps = [{"source": "user"}, {"source": "agent"}, {"source": "user"}, {"source": "agent"}]
            log = {"steps": steps, "final_metrics": {"total_prompt_tokens": 9, "total_completion_tokens": 5}}
            (trial_dir / "agent" / "trajectory.json").write_text(json.dumps(log))
            raise AgentTimeoutError("late")

    result = run(Breaks())
    assert result.turns == 2
    assert result.data["agent_result"]["n_input_tokens"] == 9


def test_a_stopped_job_cancels_its_trials(run):
    cancelled = threading.Event()

    class Stops(Acts):
        def run(self, task, sandbox, trial_dir, deadline):
            cancelled.set()
            return AgentResult()

    result = run(Stops(), cancelled=cancelled)
    assert (result.reward, result.exception_type) == (None, "CancelledError")
    assert result.is_infrastructure_error


def test_interruption_removes_the_container(engine, make_task, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_trial(make_task(), Acts(error=KeyboardInterrupt()), tmp_path / "a", client=engine, job=JOB)
    assert engine.containers.list(all=True, filters={"label": f"{JOB_LABEL}={JOB}"}) == []
    assert read_result(tmp_path / "a") is None


def test_containers_can_be_kept(engine, make_task, tmp_path):
    settings = TrialSettings(keep_containers=True)
    run_trial(make_task(), Nop(), tmp_path / "a", settings, client=engine, job=f"{JOB}-kept")
    (kept,) = engine.containers.list(filters={"label": f"{JOB_LABEL}={JOB}-kept"})
    kept.remove(force=True)
    assert kept.id[:12] in (tmp_path / "a" / "trial.log").read_text()


def test_finds_its_own_engine(engine, make_task, tmp_path):
    assert run_trial(make_task(), Oracle(), tmp_path / "a").reward == 1


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", "null", '{"trial_name": "a"}', '{"trial_name": "b", "task_name": "t"}'],
)
def test_a_damaged_record_is_no_result(tmp_path, damage):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "result.json").write_text(damage)
    assert read_result(tmp_path / "a") is None


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [({"reward": 0.5, "b": 1}, 0.5), ({"b": 1.0}, 1.0), ({"a": 1.0, "b": 1.0}, None), ({}, None)],
)
def test_which_reward_counts(tmp_path, rewards, expected):
    assert TrialResult(tmp_path, {"verifier_result": {"rewards": rewards}}).reward == expected
