"""An HTTP proxy that lets through what the rules name: `python3 egress_proxy.py PORT RULES`.

Runs alone, in a container beside the task's. RULES is a file with one rule per line, read for every
connection: a host name, `*.suffix` (the suffix itself included), an address, a network such as 10.0.0.0/8,
or `*`. Without the file nothing is let through.
"""

import contextlib
import ipaddress
import select
import socket
import socketserver
import sys
from pathlib import Path
from urllib.parse import urlsplit

SECONDS = 60
CHECK_SECONDS = 1
HEAD_BYTES = 65536


def allows(host: str, rules: list[str]) -> bool:
    """Names match names and addresses match addresses; a name is never resolved to be judged."""
    host = host.strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return any(_names(host, rule.lower()) for rule in rules)
    return any(rule == "*" or _holds(rule, address) for rule in rules)


def _names(host: str, rule: str) -> bool:
    if rule.startswith("*."):
        return host == rule[2:] or host.endswith(rule[1:])
    return rule in ("*", host)


def _holds(rule: str, address: "ipaddress.IPv4Address | ipaddress.IPv6Address") -> bool:
    try:
        return address in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return False


class Handler(socketserver.StreamRequestHandler):
    """One connection: CONNECT becomes a tunnel, a request with a full address is passed on."""

    timeout = SECONDS
    rbufsize = 0  # what follows the head belongs to the relay

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self._serve()

    def _serve(self) -> None:
        head = self._head()
        try:
            method, target, version = head[0].split()
            url = urlsplit(f"//{target}" if method == "CONNECT" else target)
            host, port = url.hostname, url.port or (443 if method == "CONNECT" else 80)
        except (ValueError, IndexError):
            return self._refuse("400 Bad Request", "this is not a request to a proxy")
        if not host or url.scheme not in ("", "http"):
            return self._refuse("400 Bad Request", f"{target} names no host")
        if not allows(host, self._rules()):
            return self._refuse("403 Forbidden", f"{host} is not among the allowed hosts of this task")
        try:
            server = socket.create_connection((host, port), SECONDS)
        except OSError as error:
            return self._refuse("502 Bad Gateway", f"{host} does not answer: {error}")
        with server:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                # One request per connection: the next one could be meant for another host.
                path = url._replace(scheme="", netloc="").geturl() or "/"
                kept = [line for line in head[1:] if not line.lower().startswith(("connection:", "proxy-"))]
                lines = [f"{method} {path} {version}", *kept, "Connection: close", "", ""]
                server.sendall("\r\n".join(lines).encode("latin-1"))
            self._relay(server, host)
        return None

    def _relay(self, server: socket.socket, host: str) -> None:
        """Until one side ends, or the rules no longer let the host through."""
        other = {self.connection: server, server: self.connection}
        while True:
            ready, _, _ = select.select(list(other), [], [], CHECK_SECONDS)
            if not allows(host, self._rules()):
                return
            for end in ready:
                data = end.recv(HEAD_BYTES)
                if not data:
                    return
                other[end].sendall(data)

    def _head(self) -> list[str]:
        lines, size = [], 0
        while (line := self.rfile.readline(HEAD_BYTES)) not in (b"\r\n", b"\n", b""):
            size += len(line)
            if size > HEAD_BYTES:
                return []
            lines.append(line.decode("latin-1").rstrip("\r\n"))
        return lines

    def _rules(self) -> list[str]:
        try:
            return Path(self.server.rules).read_text().split()
        except OSError:
            return []

    def _refuse(self, status: str, reason: str) -> None:
        body = f"{reason}\n".encode("latin-1", "replace")
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.wfile.write(head.encode() + body)


class Proxy(socketserver.ThreadingTCPServer):
    """Listens on a port of every interface."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, port: int, rules: str) -> None:
        self.rules = rules
        super().__init__(("", port), Handler)


if __name__ == "__main__":
    with Proxy(int(sys.argv[1]), sys.argv[2]) as proxy:
        print("listening", flush=True)
        proxy.serve_forever()
