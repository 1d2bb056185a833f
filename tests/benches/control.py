"""An agent's control socket: HTTP/1.1 over a Unix socket, on a kept connection."""

from __future__ import annotations

import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any

ANSWER_SECONDS_MAX = 600.0

IDLE_SECONDS_MAX = 2.0
"""A connection that rested longer may have been closed by the agent: a new one is opened."""


class Control(http.client.HTTPConnection):
    """Asks an agent; the connection is opened at the first question and kept."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS_MAX)
        self._path = path
        self._used = 0.0

    def connect(self) -> None:
        """Opens the socket; http.client calls this when it needs to."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One question; an answer that is not a success is an error with its text."""
        self.begin(method, path, body)
        return self.end()

    def begin(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Puts a question, whose answer `end` waits for."""
        text = json.dumps(body if body is not None else {})
        headers = {"Content-Type": "application/json"}
        if time.monotonic() - self._used > IDLE_SECONDS_MAX:
            self.close()
        self.request(method, path, body=text if method != "GET" else None, headers=headers)

    def end(self) -> Any:
        """Waits for the answer."""
        answer = self.getresponse()
        data = answer.read()
        self._used = time.monotonic()
        if answer.status >= 300:
            raise RuntimeError(f"{answer.status} {data.decode(errors='replace')}")
        return json.loads(data) if data else None

    def look(self) -> Any:
        """Asks the source now, and waits for that pass."""
        self.begin_look()
        return self.end()

    def begin_look(self) -> None:
        """Has the source asked now; `end` waits for that pass."""
        self.begin("POST", "/api/config/sync?wait=300s")

    def history(self) -> list[dict[str, Any]]:
        """The deployments, newest first."""
        return list(self.ask("GET", "/api/config/history")["items"])
