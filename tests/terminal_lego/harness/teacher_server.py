"""A teacher behind the OpenAI protocol: answers by a policy, and can be told to refuse."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Refusal = tuple[int, dict[str, str]]


class TeacherServer(ThreadingHTTPServer):
    """`refusals` come before any answer; `usage` is what each answer says it used."""

    daemon_threads = True

    def __init__(self, policy: Callable[[list[dict[str, str]]], str]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.policy = policy
        self.refusals: list[Refusal] = []
        self.usage: dict[str, Any] = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
        self.requests: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: TeacherServer

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append({**asked, "key": self.headers["Authorization"]})
        if self.server.refusals:
            status, headers = self.server.refusals.pop(0)
            self._send(status, {"error": {"message": "not now", "type": "x", "code": None}}, headers)
            return
        message = {"role": "assistant", "content": self.server.policy(asked["messages"])}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        self._send(
            200,
            {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
            | {"choices": [choice], "usage": self.server.usage},
        )

    def do_GET(self) -> None:
        self._send(404, {})

    def _send(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def teacher_server(policy: Callable[[list[dict[str, str]]], str]) -> Iterator[TeacherServer]:
    with TeacherServer(policy) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
