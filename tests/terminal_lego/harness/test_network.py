import http.server
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from terminal_lego.harness.network import NOTHING, Policy, agent_policy, verifier_policy
from terminal_lego.harness.sandbox import JOB_LABEL, DockerSandbox, remove_leftovers
from terminal_lego.harness.scripts.egress_proxy import Proxy, allows
from terminal_lego.task import Task


@pytest.mark.parametrize(
    ("host", "rules", "allowed"),
    [
        ("a.org", ["a.org"], True),
        ("A.Org.", ["a.ORG"], True),
        ("b.a.org", ["a.org"], False),
        ("b.a.org", ["*.a.org"], True),
        ("a.org", ["*.a.org"], True),
        ("bad-a.org", ["*.a.org"], False),
        ("a.org.evil.com", ["a.org", "*.a.org"], False),
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("11.1.2.3", ["10.0.0.0/8", "a.org"], False),
        ("[::1]", ["::1"], True),
        ("10.1.2.3", ["*.3"], False),
        ("anything", ["*"], True),
        ("10.1.2.3", ["*"], True),
        ("a.org", [], False),
    ],
)
def test_what_a_rule_lets_through(host, rules, allowed):
    assert allows(host, rules) == allowed


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"hello {self.path}".encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[int]:
    """The port of a small web server on every interface."""
    with http.server.ThreadingHTTPServer(("", 0), Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "rules"


@pytest.fixture
def proxy(rules: Path) -> Iterator[int]:
    with Proxy(0, str(rules)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def tunnel(proxy: int, target: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", proxy), 10)
    connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    return connection


def test_a_request_is_passed_on_with_its_body(proxy, web, rules):
    rules.write_text("127.0.0.1\n")
    opener = build_opener(ProxyHandler({"http": f"http://127.0.0.1:{proxy}"}))
    assert opener.open(f"http://127.0.0.1:{web}/a?b=c", timeout=10).read() == b"hello /a?b=c"
    body = b"x" * 100_000
    assert opener.open(f"http://127.0.0.1:{web}/", body, timeout=10).read() == body


def test_what_is_not_allowed_is_refused_by_name(proxy, web, rules):
    opener = build_opener(ProxyHandler({"http": f"http://127.0.0.1:{proxy}"}))
    with pytest.raises(HTTPError) as caught:  # there are no rules yet
        opener.open(f"http://127.0.0.1:{web}/", timeout=10)
    with caught.value as answer:
        assert (answer.code, answer.read()) == (
            403,
            b"127.0.0.1 is not among the allowed hosts of this task\n",
        )


@pytest.mark.parametrize(
    "line", ["nonsense", "GET /no-host HTTP/1.1", "CONNECT a.org:99999999 HTTP/1.1", "\0 \0"]
)
def test_nonsense_is_refused(proxy, line):
    with closing(socket.create_connection(("127.0.0.1", proxy), 10)) as connection:
        connection.sendall(f"{line}\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_a_tunnel_ends_when_the_rules_change(proxy, web, rules):
    rules.write_text("127.0.0.1\n")
    with closing(tunnel(proxy, f"127.0.0.1:{web}")) as connection:
        assert connection.recv(1000) == b"HTTP/1.1 200 OK\r\n\r\n"
        rules.write_text("")
        assert connection.recv(1000) == b""


BAKED = {"baked": "some/image:1"}


@pytest.mark.parametrize(
    ("tables", "extra", "agent", "verifier"),
    [
        ({}, {}, NOTHING, NOTHING),
        ({"environment": {"network_mode": "public"}}, {}, Policy("public"), Policy("public")),
        ({"environment": {"network_mode": "public"}}, BAKED, Policy("public"), NOTHING),
        ({"verifier": {"network_mode": "public"}}, BAKED, NOTHING, Policy("public")),
        (
            {"agent": {"network_mode": "allowlist", "allowed_hosts": ["a.org"]}},
            {},
            Policy("allowlist", ("a.org",)),
            NOTHING,
        ),
    ],
)
def test_each_phase_has_its_policy(make_task, tables, extra, agent, verifier):
    task = make_task(**tables)
    task = Task(task.path, task.config, task.instruction, **extra)
    assert (agent_policy(task), verifier_policy(task)) == (agent, verifier)


@pytest.fixture
def guarded(engine, make_task: Callable[..., Task], web: int) -> Iterator[tuple[DockerSandbox, str]]:
    """A sandbox with an allowlist, and the address of the web server as containers see this machine."""
    gateway = engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    environment = {"network_mode": "allowlist", "allowed_hosts": [gateway]}
    with DockerSandbox(engine, make_task(environment=environment), "trial", job=JOB) as sandbox:
        yield sandbox, f"{gateway}:{web}"


JOB = f"network-{os.getpid()}"
FETCH = (
    "python3 -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=20).read())' http://{}"
)


def test_only_the_proxy_leads_out_and_only_where_it_is_allowed(guarded):
    sandbox, address = guarded
    assert sandbox.exec(FETCH.format(address)).output == "b'hello /'\n"
    assert "403" in sandbox.exec(FETCH.format("192.0.2.1")).output
    host, port = address.split(":")
    assert sandbox.exec(f"timeout 5 bash -c 'echo > /dev/tcp/{host}/{port}'").exit_code != 0

    sandbox.enter_network(NOTHING)
    assert "403" in sandbox.exec(FETCH.format(address)).output
    sandbox.enter_network(Policy("public"))
    assert sandbox.exec(FETCH.format(address)).output == "b'hello /'\n"


def test_nothing_of_it_is_left(engine, make_task):
    environment = {"network_mode": "allowlist", "allowed_hosts": ["a.org"]}
    job = f"{JOB}-left"
    made = {"filters": {"label": f"{JOB_LABEL}={job}"}}
    with DockerSandbox(engine, make_task(environment=environment), "trial", job=job):
        assert (len(engine.containers.list(**made)), len(engine.networks.list(**made))) == (2, 1)
    assert (engine.containers.list(all=True, **made), engine.networks.list(**made)) == ([], [])
    DockerSandbox(engine, make_task("other", environment=environment), "trial", job=job).start()
    assert remove_leftovers(engine, job) == 2
    assert (engine.containers.list(all=True, **made), engine.networks.list(**made)) == ([], [])
