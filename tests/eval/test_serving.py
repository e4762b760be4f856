"""A script that answers like `vllm serve` stands for it: what it was called with is what it serves."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from eval import serving
from eval.serving import vllm_server
from terminal_lego.errors import ConfigError, StudentError
from terminal_lego.harness.clients.openai_compatible import OpenAICompatibleClient

ROOT = Path(__file__).parent.parent.parent
STAND_IN = """\
import http.server, json, sys
words = sys.argv[1:]
print("called with", json.dumps(words), flush=True)
if "--broken" in words:
    sys.exit("CUDA error: no memory")
option = lambda name: words[words.index(name) + 1]

class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def answer(self, code, body=b""):
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        Handler.asked += 1
        ready = "--never-ready" not in words and Handler.asked > 2
        self.answer(200 if self.path == "/health" and ready else 503)
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": "I am " + request["model"]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        reply = {"id": "1", "object": "chat.completion", "created": 0, "model": request["model"]}
        self.answer(200, json.dumps(reply | {"choices": [choice]}).encode())
    def log_message(self, *words): pass

http.server.ThreadingHTTPServer((option("--host"), int(option("--port"))), Handler).serve_forever()
"""


@pytest.fixture(autouse=True)
def stand_in(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "vllm").write_text(f"#!{sys.executable}\n{STAND_IN}")
    (folder / "vllm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(serving, "POLL_SECONDS", 0.05)
    return folder


def is_open(url: str) -> bool:
    host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_the_server_answers_a_client_under_the_students_name_and_is_gone_afterwards(tmp_path):
    log = tmp_path / "job" / "vllm.log"
    with vllm_server("org/student", log, ["--max-model-len", "4096"]) as url:
        answer = OpenAICompatibleClient("org/student", url).complete([{"role": "user", "content": "Who?"}])
        assert answer.text == "I am org/student"
    assert not is_open(url)
    called = log.read_text()
    assert '["serve", "org/student", "--host", "127.0.0.1", "--port"' in called
    assert '"--max-model-len", "4096"]' in called


def test_it_is_gone_after_an_error_too(tmp_path):
    with pytest.raises(KeyboardInterrupt), vllm_server("s", tmp_path / "log") as url:
        raise KeyboardInterrupt
    assert not is_open(url)


def test_a_server_that_ends_says_why(tmp_path):
    with (
        pytest.raises(StudentError, match=r"s: vllm serve ended with 1; see .*CUDA error: no memory"),
        vllm_server("s", tmp_path / "log", ["--broken"]),
    ):
        pass


def test_a_server_that_is_never_ready_is_given_up(tmp_path):
    with (
        pytest.raises(StudentError, match=r"not ready within 0\.2 s"),
        vllm_server("s", tmp_path / "log", ["--never-ready"], start_seconds=0.2),
    ):
        pass


def test_without_vllm_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="set serve=transformers"), vllm_server("s", tmp_path / "log"):
        pass
    assert not serving.has_vllm_and_gpu()


def test_it_does_not_outlive_a_killed_runner(tmp_path):
    """The open connection ends when the server does."""
    code = f"""\
        import os, sys
        from pathlib import Path
        from eval import serving
        serving.POLL_SECONDS = 0.05
        with serving.vllm_server("s", Path({str(tmp_path)!r}, "log")) as url:
            print(url, flush=True)
            sys.stdin.read()
        """
    runner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with runner:
        url = runner.stdout.readline().strip()
        host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            with urllib.request.urlopen(f"{url.removesuffix('/v1')}/health") as answer:
                assert answer.status == 200
            runner.send_signal(signal.SIGKILL)
            runner.wait()
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""
