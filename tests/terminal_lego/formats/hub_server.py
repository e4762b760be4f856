"""A server that speaks as much of the Hugging Face hub's protocol as downloading a data set takes."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "c0ffee" * 6 + "c0ff"


@dataclass
class Hub:
    """What the server holds: `files` of each `org/name@revision`; `refused` are gated."""

    files: dict[str, dict[str, bytes]]
    refused: set[str] = field(default_factory=set)
    url: str = ""
    asked: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.asked.append(path)
        self.hub.tokens.add(self.headers.get("Authorization", ""))
        parts = path.strip("/").split("/")
        match parts:
            case ["api", "datasets", org, name, "revision", revision]:
                self._described(f"{org}/{name}", revision)
            case ["api", "datasets", org, name, "tree", _]:
                self._send(200, json.dumps(self._tree(f"{org}/{name}")).encode(), "application/json")
            case ["datasets", org, name, "resolve", _, *file]:
                content = self._content(f"{org}/{name}").get("/".join(file))
                self._send(200, content) if content is not None else self._missing("EntryNotFound")
            case _:
                self._missing("RepoNotFound")

    def _described(self, name: str, revision: str) -> None:
        if name in self.hub.refused:
            self._missing("GatedRepo", 403)
        elif f"{name}@{revision}" in self.hub.files:
            self._send(200, json.dumps({"id": name, "sha": COMMIT}).encode(), "application/json")
        elif any(key.partition("@")[0] == name for key in self.hub.files):
            self._missing("RevisionNotFound")
        else:
            self._missing("RepoNotFound")

    def _content(self, name: str) -> dict[str, bytes]:
        return next(files for key, files in self.hub.files.items() if key.partition("@")[0] == name)

    def _tree(self, name: str) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for path, content in self._content(name).items()
        ]

    def _missing(self, code: str, status: int = 404) -> None:
        self._send(status, b"", headers={"X-Error-Code": code, "X-Error-Message": "not for you"})

    def _send(
        self,
        status: int,
        content: bytes,
        kind: str = "application/octet-stream",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        tag = hashlib.sha1(content).hexdigest()
        given = {"Content-Type": kind, "Content-Length": str(len(content)), "ETag": f'"{tag}"'}
        for name, value in (given | {"X-Repo-Commit": COMMIT} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)
