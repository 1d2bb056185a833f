"""Smart HTTP on loopback: `git http-backend` behind a threaded server with kept connections.

It runs as a process of its own, so that its work is in nobody's figures but its own, and counts
requests, connections, bytes both ways (heads included) and the time that answering took.
`GET /-/counters` tells them and is not counted.
"""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import IO

WHOLE_BYTES_MAX = 1 << 20
"""A longer answer is sent in chunks while it is made."""

COUNTERS = "/-/counters"


@dataclass
class Counters:
    """What was asked of the server since it began."""

    requests: int = 0
    connections: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    busy_seconds: float = 0.0


@dataclass
class Request:
    """One request, read to its end."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    size: int


class Server(socketserver.ThreadingTCPServer):
    """A thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.root = root
        self.counters = Counters()
        self.lock = threading.Lock()
        found = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True)
        self.backend = Path(found.stdout.strip()) / "git-http-backend"
        self.environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "REMOTE_ADDR": "127.0.0.1",
        }


class Connection(socketserver.StreamRequestHandler):
    """One connection; requests on it are answered one after the other."""

    server: Server
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle(self) -> None:
        """Answers until the other side has gone."""
        counted = False
        while (request := read_request(self.rfile)) is not None:
            if request.path == COUNTERS:
                self._tell()
                continue
            began = time.perf_counter()
            sent = self._answer(request)
            with self.server.lock:
                counters = self.server.counters
                counters.connections += not counted
                counters.requests += 1
                counters.bytes_in += request.size
                counters.bytes_out += sent
                counters.busy_seconds += time.perf_counter() - began
            counted = True
            if request.headers.get("connection", "").lower() == "close":
                return

    def _tell(self) -> None:
        with self.server.lock:
            body = json.dumps(asdict(self.server.counters)).encode()
        self._send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def _answer(self, request: Request) -> int:
        backend = subprocess.Popen(
            [str(self.server.backend)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.server.environment | cgi(request),
            close_fds=False,
        )
        assert backend.stdin is not None and backend.stdout is not None
        writer = threading.Thread(target=feed, args=(backend.stdin, request.body))
        if len(request.body) > 32 << 10:
            writer.start()
        else:
            feed(backend.stdin, request.body)
        try:
            return self._relay(backend.stdout)
        finally:
            backend.stdout.close()
            backend.wait()
            if writer.ident is not None:
                writer.join()

    def _relay(self, out: IO[bytes]) -> int:
        status, head = b"200 OK", b""
        while (line := out.readline().rstrip(b"\r\n")) != b"":
            name, _, value = line.partition(b": ")
            if name.lower() == b"status":
                status = value
            else:
                head += line + b"\r\n"
        head = b"HTTP/1.1 " + status + b"\r\n" + head
        body = out.read(WHOLE_BYTES_MAX)
        rest = out.read(WHOLE_BYTES_MAX) if len(body) == WHOLE_BYTES_MAX else b""
        if not rest:
            return self._send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        sent = self._send(head + b"Transfer-Encoding: chunked\r\n\r\n")
        while body:
            sent += self._send(b"%x\r\n%s\r\n" % (len(body), body))
            body, rest = rest, out.read(WHOLE_BYTES_MAX) if rest else b""
        return sent + self._send(b"0\r\n\r\n")

    def _send(self, data: bytes) -> int:
        self.wfile.write(data)
        self.wfile.flush()
        return len(data)


def read_request(source: BufferedIOBase) -> Request | None:
    """The next request of a connection; `None` when there is none."""
    try:
        line = source.readline()
    except ConnectionError:
        return None
    if not line.strip():
        return None
    size = len(line)
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := source.readline()) not in (b"\r\n", b"\n", b""):
        size += len(line)
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    size += len(line)
    body = b""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while True:
            head = source.readline()
            length = int(head.split(b";")[0], 16)
            chunk = source.read(length)
            size += len(head) + length + len(source.readline())
            body += chunk
            if length == 0:
                break
    elif "content-length" in headers:
        body = source.read(int(headers["content-length"]))
        size += len(body)
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, body, size)


def cgi(request: Request) -> dict[str, str]:
    """The request as RFC 3875 hands it on."""
    return {
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
    }


def feed(sink: IO[bytes], body: bytes) -> None:
    """Gives the program its input; it may end before it has read all."""
    try:
        sink.write(body)
        sink.close()
    except BrokenPipeError:
        pass


def main() -> None:
    """Serves the folder that is named, says the port, and ends with the driver."""
    server = Server(Path(sys.argv[1]))
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
