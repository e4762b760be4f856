import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from docker.types import LogConfig
from hypothesis import given
from hypothesis import strategies as st

from terminal_lego.errors import CommandTimeoutError, SandboxError
from terminal_lego.harness import sandbox as module
from terminal_lego.harness.channel import Answer, Channel, attach
from terminal_lego.harness.engine import BASE_IMAGE
from terminal_lego.harness.image import image_tag
from terminal_lego.harness.sandbox import DockerSandbox, ExecResult

LABELS = {"terminal-lego.job": f"channel-{os.getpid()}"}


@pytest.fixture
def sandbox(engine, make_task, monkeypatch) -> Iterator[DockerSandbox]:
    """One in which only the channel can run anything."""
    with DockerSandbox(engine, make_task(), "trial") as sandbox:
        monkeypatch.setattr(engine.api, "exec_create", _unwanted)
        yield sandbox
        monkeypatch.undo()


def _unwanted(*_: object, **__: object) -> None:
    raise AssertionError("the engine was asked")


@pytest.fixture
def channel(engine) -> Iterator[Channel]:
    container = engine.containers.create(
        BASE_IMAGE,
        ["bash"],
        stdin_open=True,
        network_mode="none",
        detach=True,
        labels=LABELS,
        log_config=LogConfig(type="none"),
    )
    channel = attach(engine.api, container.id)
    try:
        container.start()
        yield channel
    finally:
        container.remove(force=True)
        channel.close()


def run(
    channel: Channel, script: str, folder: str = "/app", limit: int = 10_000, **variables: str
) -> Answer | None:
    return channel.run(["bash", "-c", script], folder, variables, 60, limit)


def test_results_are_those_of_the_engines_processes(engine, make_task):
    script = (
        "env; umask; pwd; id; ls -l /proc/self/fd | cut -c 1-10,70-; grep Sig /proc/self/status; "
        "cat; printf 'x\\xff\\0y' >&2; set -o; echo $-; ulimit -a; exit 3"
    )
    with DockerSandbox(engine, make_task(), "trial") as sandbox:
        over_channel = sandbox.exec(script, workdir="/usr", env={"WORD": "a b\nc=é"}, timeout=60)
        sandbox._commands.close()
        by_engine = sandbox.exec(script, workdir="/usr", env={"WORD": "a b\nc=é"}, timeout=60)

    def comparable(result: ExecResult) -> list[str]:
        # The pipes differ, and how many signals happen to be queued.
        return [line for line in result.output.splitlines() if not line.startswith("SigQ")]

    assert "\nWORD=a b\nc=é\n" in over_channel.output
    assert comparable(over_channel) == comparable(by_engine)
    assert over_channel.exit_code == by_engine.exit_code == 3


def test_everything_runs_without_asking_the_engine(sandbox):
    assert sandbox.exec("printf '  a\\n\\n'; printf 'b' >&2; exit 3") == ExecResult(3, "  a\n\nb")
    assert sandbox.exec('pwd; echo "$WORD"', workdir="/tmp", env={"WORD": "a b"}).output == "/tmp\na b\n"
    assert sandbox.exec("id -un", user="root").output == "root\n"
    assert sandbox.exec("exit 124", timeout=60).exit_code == 124
    assert sandbox.exec("nothing-of-that-name").exit_code == 127


def test_output_is_complete_and_endless_output_is_cut(sandbox, monkeypatch):
    assert sandbox.exec("head -c 3000000 /dev/zero | tr '\\0' z").output == "z" * 3_000_000
    assert {sandbox.exec("echo early").output for _ in range(50)} == {"early\n"}
    monkeypatch.setattr(module, "OUTPUT_BYTES", 1000)
    assert sandbox.exec("yes | head -c 10000000").output == "y\n" * 500


def test_a_command_past_its_time_is_ended_with_its_children(sandbox):
    with pytest.raises(CommandTimeoutError) as caught:
        sandbox.exec("echo begun; sleep 1234 & sleep 1234", timeout=0.5)
    assert caught.value.output == "begun\n"
    assert sandbox.exec("pgrep -f 'sleep 123[4]'").exit_code == 1


@pytest.mark.parametrize("signal", ["KILL", "TERM", "INT", "HUP", "QUIT", "SEGV", "PIPE", "USR1"])
def test_no_signal_reaches_the_channel(sandbox, signal):
    assert sandbox.exec(f"kill -{signal} 1; echo sent", timeout=60).output == "sent\n"
    assert sandbox.exec("echo here", timeout=60).output == "here\n"


def test_killing_everything_leaves_the_channel(sandbox):
    assert sandbox.exec("kill -9 -1; sleep 600", timeout=60).exit_code == 137
    assert sandbox.exec("pkill -9 sleep; pkill -9 cat; pkill bash; sleep 600", timeout=60).exit_code == 143
    assert sandbox.exec("kill -TERM 0; sleep 600", timeout=60).exit_code == 143
    assert sandbox.exec("echo here", timeout=60).output == "here\n"


def test_what_is_left_running_writes_into_no_other_answer(sandbox):
    assert (
        sandbox.exec("(trap '' PIPE; while echo late; do sleep 0.01; done) & echo now").output.count("now")
        == 1
    )
    for _ in range(20):
        assert sandbox.exec("sleep 0.02; echo clean").output == "clean\n"


def test_a_daemon_that_lets_go_is_not_waited_for(sandbox):
    assert sandbox.exec("setsid sleep 600 >/dev/null 2>&1 </dev/null & echo started").output == "started\n"
    assert sandbox.exec("pgrep -c sleep").output == "1\n"


def test_nothing_of_the_channel_shows(sandbox):
    assert sandbox.exec("ls -A /tmp /app; cat /proc/1/cmdline").output == "/app:\n\n/tmp:\nbash\0"
    assert "lego" not in sandbox.exec("env; set; ps ax").output


def test_calls_at_once_do_not_mix(engine, make_task):
    with DockerSandbox(engine, make_task(), "trial") as sandbox, ThreadPoolExecutor(8) as pool:
        said = [str(number) * 1000 for number in range(32)]
        results = pool.map(lambda text: sandbox.exec(f"sleep 0.01; echo {text}", timeout=60).output, said)
        assert list(results) == [f"{text}\n" for text in said]


def test_another_user_is_the_engines_business(engine, make_task):
    with DockerSandbox(engine, make_task(), "trial") as sandbox:
        assert sandbox.exec("id -un; echo $HOME", user="nobody").output == "nobody\n/nonexistent\n"
        assert sandbox.exec("id -u", user=12345).output == "12345\n"


def test_an_image_with_an_entry_point_needs_no_channel(engine, make_task):
    lines = f'FROM {BASE_IMAGE}\nENTRYPOINT ["bash", "-c", "echo noise; sleep 600"]\n'
    task = make_task(environment={"docker_image": None}, files={"environment/Dockerfile": lines})
    try:
        with DockerSandbox(engine, task, "trial") as sandbox:
            assert sandbox.exec("echo here").output == "here\n"
    finally:
        engine.images.remove(image_tag(task))


def test_a_container_killed_in_mid_call(engine, make_task):
    with DockerSandbox(engine, make_task(), "trial") as sandbox:
        killing = threading.Timer(0.3, lambda: engine.api.kill(sandbox.id))
        killing.start()
        with pytest.raises(SandboxError, match="could not be run"):
            sandbox.exec("sleep 600")
        killing.join()
        with pytest.raises(SandboxError, match="could not be run"):
            sandbox.exec("true")


def test_a_silent_engine_is_given_up(channel):
    with pytest.raises(TimeoutError):
        channel.run(["sleep", "60"], "/", {}, 0.2, 100)
    assert not channel.is_open


@pytest.mark.parametrize(
    ("words", "folder", "variables"),
    [
        (["true"], "/not/there", {}),
        (["printf", "a\0b"], "/", {}),
        (["true"], "/", {"not-a-name": "x"}),
        (["true"], "/", {"NAME": "\0"}),
    ],
)
def test_what_it_cannot_do_is_not_begun(channel, words, folder, variables):
    assert channel.run(words, folder, variables, 60, 100) is None


def test_words_arrive_as_they_are(channel):
    generator = random.Random(0)
    letters = [chr(number) for number in range(1, 0x250)] + ["\U0001f600", "\\", "'", '"', "\n", " "]

    for length in [0, 1, 2, 10, 100, 1000, 30_000]:
        text = "".join(generator.choices(letters, k=length))
        words = ["printf", "%s|", text, "", text[::-1]]
        answer = channel.run(words, "/", {}, 60, 10**7)
        assert answer == Answer(0, f"{text}||{text[::-1]}|".encode())


class Server:
    """The other end of a channel, which says what it is told to say."""

    def __init__(self, pieces: Callable[[bytes], list[bytes]]):
        near, self._far = socket.socketpair()
        self.channel = Channel(near)
        self._pieces = pieces
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        request = b""
        while not request.endswith(b"\0true\0"):
            request += self._far.recv(65536)
        mark = request.split(b"\0")[0][-32:]
        for piece in self._pieces(mark):
            self._far.sendall(bytes([1, 0, 0, 0]) + len(piece).to_bytes(4, "big") + piece)
        self._far.close()

    def ask(self, limit: int = 1000) -> Answer | None:
        try:
            return self.channel.run(["true"], "/", {}, 60, limit)
        finally:
            self._thread.join()
            self.channel.close()


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=30), st.integers(0, 200))
def test_an_answer_is_found_however_it_is_cut(output, cuts, limit):
    def pieces(mark: bytes) -> list[bytes]:
        rest = b"noise" + mark + b" go\n" + output + mark + b" 42\n"
        parts = []
        for cut in cuts:
            parts.append(rest[:cut])
            rest = rest[cut:]
        return [part for part in [*parts, rest] if part]

    assert Server(pieces).ask(limit) == Answer(42, output[:limit])


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ([], None),
        ([b"%s"], None),
        ([b"%s no\n"], None),
        ([b"%s go\n", b"%s no\n"], None),
        ([b"%s go\npart"], Answer(None, b"part")),
    ],
)
def test_an_end_before_the_answer_tells_whether_it_was_begun(said, answer):
    server = Server(lambda mark: [piece.replace(b"%s", mark) for piece in said])
    assert server.ask() == answer
    assert not server.channel.is_open
