"""The driver's side of the git server: starts it, and asks for its counters."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from .server import COUNTERS, Counters

COUNTED_SECONDS = 0.01
REST_SECONDS = 0.1


class Remote:
    """A git server over a folder of bare repositories, as long as the `with` lasts."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> Remote:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benches.server", str(self._root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port)
        return self

    def url(self, name: str) -> str:
        """Where a repository is."""
        return f"http://127.0.0.1:{self._port}/{name}"

    def counters(self) -> Counters:
        """What was asked of the server so far.

        A request is counted when it was answered, a moment after who asked has the answer.
        """
        time.sleep(COUNTED_SECONDS)
        self._connection.request("GET", COUNTERS)
        return Counters(**json.loads(self._connection.getresponse().read()))

    def rest(self) -> None:
        """Waits until nothing is asked of the server."""
        before = self.counters()
        time.sleep(REST_SECONDS)
        while (now := self.counters()) != before:
            before = now
            time.sleep(REST_SECONDS)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def since(now: Counters, before: Counters) -> Counters:
    """The difference of two readings."""
    return Counters(
        requests=now.requests - before.requests,
        connections=now.connections - before.connections,
        bytes_in=now.bytes_in - before.bytes_in,
        bytes_out=now.bytes_out - before.bytes_out,
        busy_seconds=now.busy_seconds - before.busy_seconds,
    )
