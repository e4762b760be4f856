import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from docker.errors import ImageNotFound

from terminal_lego.errors import (
    CommandTimeoutError,
    EnvironmentStartTimeoutError,
    SandboxBuildFailedError,
    SandboxError,
    TaskError,
)
from terminal_lego.harness import sandbox as module
from terminal_lego.harness.engine import BASE_IMAGE
from terminal_lego.harness.image import image_tag
from terminal_lego.harness.sandbox import DockerSandbox, remove_leftovers
from terminal_lego.task import Task

CGROUP_FILES = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"


@pytest.fixture
def sandbox(engine, make_task: Callable[..., Task]) -> Iterator[DockerSandbox]:
    limits = {"cpus": 0.5, "memory_mb": 128}
    script = "#!/bin/sh\necho ran\n"
    files = {"data.txt": "hello\n", "bin/run.sh": script, "bin/plain.sh": script}
    task = make_task(environment=limits, files={f"environment/{name}": text for name, text in files.items()})
    (task.environment / "bin" / "run.sh").chmod(0o755)
    (task.environment / "bin" / "plain.sh").chmod(0o644)
    with DockerSandbox(engine, task, "trial") as sandbox:
        yield sandbox


def containers(engine, job: str) -> list:
    return engine.containers.list(all=True, filters={"label": f"terminal-lego.job={job}"})


def test_environment_lies_in_the_workdir(sandbox):
    result = sandbox.exec("pwd; cat data.txt; bin/run.sh; stat -c %U:%G:%a data.txt bin bin/plain.sh")
    assert result.output == "/app\nhello\nran\nroot:root:644\nroot:root:755\nroot:root:644\n"
    assert sandbox.workdir == "/app"


def test_log_folders_are_open_to_everyone(sandbox):
    shown = sandbox.exec("stat -c '%a %n' /logs/*").output
    assert shown == "777 /logs/agent\n777 /logs/artifacts\n777 /logs/verifier\n"


def test_output_is_neither_stripped_nor_lost(sandbox):
    assert sandbox.exec("printf '  a\\n\\n'; printf 'b' >&2; exit 3") == module.ExecResult(3, "  a\n\nb")
    assert sandbox.exec(r"printf 'x\xffy'").output == "x\ufffdy"
    assert sandbox.exec("head -c 3000000 /dev/zero | tr '\\0' z").output == "z" * 3_000_000
    assert {sandbox.exec("echo early").output for _ in range(20)} == {"early\n"}


def test_endless_output_is_cut(sandbox, monkeypatch):
    monkeypatch.setattr(module, "OUTPUT_BYTES", 1000)
    assert sandbox.exec("yes | head -c 100000").output == "y\n" * 500


def test_user_workdir_and_variables(sandbox):
    result = sandbox.exec('id -un; pwd; echo "$WORD"', user="nobody", workdir="/tmp", env={"WORD": "a b"})
    assert result.output == "nobody\n/tmp\na b\n"


def test_a_command_past_its_time_is_ended_with_its_children(sandbox):
    with pytest.raises(CommandTimeoutError) as caught:
        sandbox.exec("echo begun; sleep 1234 & sleep 1234", timeout=1)
    assert caught.value.output == "begun\n"
    assert sandbox.exec("pgrep -f 'sleep 123[4]'").exit_code == 1


def test_a_command_that_ignores_being_asked_is_killed(sandbox, monkeypatch):
    monkeypatch.setattr(module, "KILL_SECONDS", 1)
    with pytest.raises(CommandTimeoutError):
        sandbox.exec("trap '' TERM; while :; do sleep 0.1; done", timeout=1)


def test_an_exit_code_of_124_is_only_an_exit_code(sandbox):
    assert sandbox.exec("exit 124", timeout=60).exit_code == 124


def test_memory_is_limited(sandbox):
    assert sandbox.exec(f"cat {CGROUP_FILES} 2>/dev/null").output == f"{128 * 2**20}\n"
    assert sandbox.exec("python3 -c 'bytearray(400_000_000)'").exit_code in (1, 137)


def test_processors_are_limited(sandbox, engine):
    assert engine.api.inspect_container(sandbox.id)["HostConfig"]["NanoCpus"] == 500_000_000


def test_processes_are_limited(engine, make_task, monkeypatch):
    monkeypatch.setattr(module, "PIDS_LIMIT", 20)
    spawn = """
import subprocess
children = []
try:
    for _ in range(40):
        children.append(subprocess.Popen(["sleep", "60"]))
except BlockingIOError:
    print(len(children))
"""
    task = make_task(files={"environment/spawn.py": spawn})
    with DockerSandbox(engine, task, "trial") as sandbox:
        assert 5 < int(sandbox.exec("python3 spawn.py", timeout=60).output) < 20


def test_no_network_means_none(sandbox):
    assert sandbox.exec("ls /sys/class/net").output == "lo\n"
    assert "unreachable" in sandbox.exec("echo > /dev/tcp/192.0.2.1/80").output


def test_public_tasks_have_a_network(engine, make_task):
    with DockerSandbox(engine, make_task(environment={"network_mode": "public"}), "trial") as sandbox:
        assert "eth0" in sandbox.exec("ls /sys/class/net").output


def test_no_new_privileges(sandbox):
    assert "NoNewPrivs:\t1" in sandbox.exec("cat /proc/self/status").output


def test_the_container_is_confined(sandbox, engine):
    seen = engine.api.inspect_container(sandbox.id)
    host = seen["HostConfig"]
    assert (seen["Mounts"], host["Binds"], host["Privileged"]) == ([], None, False)
    assert host["MemorySwap"] == host["Memory"] == 128 * 2**20
    assert host["PidsLimit"] == module.PIDS_LIMIT
    capabilities = int(sandbox.exec("grep CapEff /proc/self/status").output.split()[1], 16)
    assert [bit for bit in (8, 12, 13, 21) if capabilities >> bit & 1] == []  # SETPCAP, NET_*, SYS_ADMIN


def test_the_screen_shows_a_fixed_host(engine, make_task):
    with DockerSandbox(engine, make_task(), "trial", hostname="box") as sandbox:
        assert sandbox.exec("hostname").output == "box\n"


def test_killing_everything_leaves_the_container(sandbox):
    sandbox.exec("kill -9 -1; pkill -9 sleep")
    assert sandbox.exec("cat data.txt").output == "hello\n"


def test_orphans_do_not_pile_up(sandbox):
    sandbox.exec("for i in 1 2 3; do (setsid sleep 0.01 &); done; sleep 0.5")
    assert "Z" not in sandbox.exec("ps -eo state").output


def test_variables_come_from_the_host_or_a_default(engine, make_task, monkeypatch):
    monkeypatch.setenv("FROM_HOST", "one")
    env = {"A": "${FROM_HOST}/x", "B": "${NOT_ON_HOST:-two}"}
    with DockerSandbox(engine, make_task(environment={"env": env}), "trial") as sandbox:
        assert sandbox.exec('echo "$A $B"').output == "one/x two\n"


def test_files_go_in_and_come_out(sandbox, tmp_path):
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "data.bin").write_bytes(bytes(range(256)))
    (source / "tool.sh").write_text("#!/bin/sh\necho tool\n")
    (source / "tool.sh").chmod(0o755)
    (source / "link").symlink_to("tool.sh")
    sandbox.upload(source, "/opt/place")
    assert sandbox.exec("/opt/place/tool.sh; readlink /opt/place/link").output == "tool\ntool.sh\n"

    sandbox.download("/opt/place", tmp_path / "out")
    assert (tmp_path / "out" / "deep" / "data.bin").read_bytes() == bytes(range(256))
    assert not (tmp_path / "out" / "link").exists()
    sandbox.download("/opt/place/tool.sh", tmp_path / "single")
    assert (tmp_path / "single").read_text().endswith("echo tool\n")


def test_a_container_replaces_nothing_on_the_host(sandbox, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "data.txt").write_text("ours")
    sandbox.download("/app", tmp_path / "out")
    assert (tmp_path / "out" / "data.txt").read_text() == "ours"
    assert (tmp_path / "out" / "bin" / "run.sh").exists()


def test_logs_cannot_reach_the_record(sandbox, tmp_path):
    sandbox.exec("echo '{}' > /logs/result.json; echo a > /logs/agent/a; ln -s /etc/passwd /logs/verifier/b")
    sandbox.download_logs(tmp_path / "trial")
    found = sorted(str(path.relative_to(tmp_path / "trial")) for path in (tmp_path / "trial").rglob("*"))
    assert found == ["agent", "agent/a", "verifier"]


def test_what_is_not_there_cannot_be_downloaded(sandbox, tmp_path):
    with pytest.raises(SandboxError, match="/missing"):
        sandbox.download("/missing", tmp_path)


def test_a_lost_container_is_a_sandbox_error(sandbox, engine):
    engine.api.remove_container(sandbox.id, force=True)
    with pytest.raises(SandboxError, match="could not be run"):
        sandbox.exec("true")
    sandbox.stop()
    with pytest.raises(SandboxError, match="start the sandbox first"):
        sandbox.exec("true")


def test_leaves_nothing_behind(engine, make_task):
    job = f"sandbox-{os.getpid()}"
    with pytest.raises(ZeroDivisionError), DockerSandbox(engine, make_task(), "trial", job=job):
        assert len(containers(engine, job)) == 1
        raise ZeroDivisionError
    assert containers(engine, job) == []


def test_leftovers_of_one_job_are_removed(engine, make_task):
    mine, other = (f"leftovers-{os.getpid()}-{n}" for n in range(2))
    with DockerSandbox(engine, make_task(), "trial", job=other):
        DockerSandbox(engine, make_task("second"), "trial", job=mine).start()
        assert remove_leftovers(engine, mine) == 1
        assert (len(containers(engine, mine)), len(containers(engine, other))) == (0, 1)


@pytest.fixture
def dockerfile(engine, make_task: Callable[..., Task]) -> Iterator[Callable[..., Task]]:
    """Makes tasks with an image of their own, and removes the images afterwards."""
    tags = []

    def make(name: str, *lines: str, **environment: float) -> Task:
        text = "\n".join([f"FROM {BASE_IMAGE}", f"ENV TEST={os.getpid()}", *lines, ""])
        settings = {"docker_image": None, **environment}
        task = make_task(name, files={"environment/Dockerfile": text}, environment=settings)
        tags.append(image_tag(task))
        return task

    yield make
    for tag in tags:
        with suppress(ImageNotFound):
            engine.images.remove(tag)


def test_a_dockerfile_is_built_once_for_many_trials(engine, dockerfile, monkeypatch):
    builds = []
    build = engine.api.build
    monkeypatch.setattr(engine.api, "build", lambda **options: builds.append(1) or build(**options))
    task = dockerfile("built", "USER nobody", "WORKDIR /srv")
    seen = []

    def trial() -> None:
        with DockerSandbox(engine, task, "trial") as sandbox:
            seen.append((sandbox.exec("id -un; pwd").output, sandbox.user, sandbox.workdir))

    threads = [threading.Thread(target=trial) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [("nobody\n/srv\n", "nobody", "/srv")] * 3
    assert len(builds) == 1


def test_a_changed_context_is_another_image(engine, dockerfile):
    def made(content: str) -> str:
        with DockerSandbox(engine, dockerfile(content, f"RUN echo {content} > /made"), "trial") as sandbox:
            return sandbox.exec("cat /made").output

    assert [made("one"), made("two")] == ["one\n", "two\n"]


def test_a_broken_dockerfile_shows_its_end(engine, dockerfile):
    task = dockerfile("broken", "RUN echo this cannot work && false")
    with pytest.raises(SandboxBuildFailedError, match="this cannot work"):
        DockerSandbox(engine, task, "trial").start()


def test_a_slow_dockerfile_is_given_up(engine, dockerfile):
    task = dockerfile("slow", "RUN sleep 600", build_timeout_sec=3)
    with pytest.raises(EnvironmentStartTimeoutError, match="3 s"):
        DockerSandbox(engine, task, "trial").start()


def test_an_image_that_cannot_be_had(engine, make_task):
    task = make_task(environment={"docker_image": "localhost:1/nothing:1"})
    with pytest.raises(SandboxBuildFailedError, match="localhost:1/nothing:1"):
        DockerSandbox(engine, task, "trial").start()


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ("a compose file", {"files": {"environment/docker-compose.yaml": "services: {}\n"}}),
        ("another service", {"artifacts": [{"source": "/data", "service": "database"}]}),
        ("another service", {"verifier": {"collect": [{"command": "dump", "service": "database"}]}}),
        ("gpus", {"environment": {"gpus": 1}}),
        ("Dockerfile", {"environment": {"docker_image": None}, "files": {"environment/": ""}}),
        ("NOT_ON_HOST", {"verifier": {"env": {"KEY": "${NOT_ON_HOST}"}}}),
    ],
)
def test_what_is_not_supported_is_refused_by_name(make_task, said, options):
    with pytest.raises(TaskError, match=said):
        DockerSandbox(None, make_task(**options), "trial")


def test_container_names_the_trial(engine, sandbox):
    labels = engine.api.inspect_container(sandbox.id)["Config"]["Labels"]
    assert labels["terminal-lego.trial"] == "trial"


def test_upload_of_a_single_file(sandbox, tmp_path: Path):
    (tmp_path / "one.txt").write_text("one")
    sandbox.upload(tmp_path / "one.txt", "/app/renamed.txt")
    assert sandbox.exec("cat renamed.txt").output == "one"
