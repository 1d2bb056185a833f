"""What a change takes on this machine of a program that asks, fetches, unpacks what it got once, makes as
many files durable, and neither keeps nor checks anything."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .remote import Remote
from .repositories import BRANCH, Repository

REST_SECONDS = 0.6
"""Before each change, as an agent rests."""

SMALL_BYTES = 700
BLOCK = b"x" * 4096
OFFSET_DIFFERENCE = 6
KINDS = {1: b"commit", 2: b"tree", 3: b"blob", 4: b"tag", OFFSET_DIFFERENCE: b"difference"}
HEADERS = "content-type: application/x-git-upload-pack-request\r\ngit-protocol: version=2\r\n"


@dataclass
class Taken:
    """What one change took."""

    wall_seconds: float
    cpu_seconds: float


def packets(*lines: str) -> bytes:
    """Lines as git's protocol has them; an empty one is a delimiter, and a flush ends them."""
    written = [f"{len(line) + 5:04x}{line}\n" if line else "0001" for line in lines]
    return "".join(written).encode() + b"0000"


class Asking:
    """A connection to a git server that is kept open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._head = f"POST {parts.path}/git-upload-pack HTTP/1.1\r\nhost: {parts.netloc}\r\n"
        self._connection = socket.create_connection((parts.hostname, parts.port))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, body: bytes) -> bytes:
        """One question and its whole answer, with its head."""
        head = f"{self._head}{HEADERS}content-length: {len(body)}\r\n\r\n"
        self._connection.sendall(head.encode() + body)
        answer = b""
        while not _is_whole(answer):
            part = self._connection.recv(65536)
            if not part:
                raise RuntimeError("the server closed the connection")
            answer += part
        return answer

    def what_there_is(self) -> bytes:
        """The question of every poll."""
        return self.ask(packets("command=ls-refs", "", f"ref-prefix refs/heads/{BRANCH}"))

    def what_is_new(self, want: str, have: str) -> bytes:
        """The question of every change, as an agent puts it."""
        lines = ["no-progress", "ofs-delta", f"want {want}", f"have {have}"]
        return self.ask(packets("command=fetch", "", *lines))


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(body) >= int(value)
    return body.endswith(b"0\r\n\r\n")


def unpack(answer: bytes) -> list[bytes]:
    """The id of each object of the pack in an answer: inflated and hashed once (gitformat-pack(5));
    of a difference to another, that of the difference."""
    try:
        return list(_objects(_pack(answer)))
    except (ValueError, KeyError, IndexError, zlib.error) as error:
        raise RuntimeError(f"the pack cannot be read: {error}") from error


def _objects(pack: bytes) -> Iterator[bytes]:
    at = 12
    for _ in range(int.from_bytes(pack[8:12])):
        kind, size = pack[at] >> 4 & 7, pack[at] & 15
        shift = 4
        while pack[at] & 128:
            at += 1
            size |= (pack[at] & 127) << shift
            shift += 7
        at += 1
        if kind == OFFSET_DIFFERENCE:
            while pack[at] & 128:
                at += 1
            at += 1
        stream = zlib.decompressobj()
        data = stream.decompress(pack[at:])
        at = len(pack) - len(stream.unused_data)
        if len(data) != size:
            raise ValueError("an object has another size")
        yield hashlib.sha1(b"%s %d\0%s" % (KINDS[kind], size, data)).digest()


def _pack(answer: bytes) -> bytes:
    """What is in the first band of the answer's packets (gitprotocol-v2(5))."""
    _, _, body = answer.partition(b"\r\n\r\n")
    parts, at = [], body.index(b"packfile\n") + len(b"packfile\n")
    while (size := int(body[at : at + 4], 16)) > 4:
        if body[at + 4] == 1:
            parts.append(body[at + 5 : at + size])
        at += size
    return b"".join(parts)


class Files:
    """As many small files made, linked, renamed, removed and made durable as an agent does: `counts` by
    these kinds, see `syscalls.by_kind`."""

    def __init__(self, folder: Path, counts: Mapping[str, int]) -> None:
        self._folder = folder / "bare"
        self._counts = counts
        self._folder.mkdir()
        self._log = os.open(self._folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def prepare(self) -> None:
        """What the next change finds: files to link, to rename and to remove."""
        for path in self._folder.iterdir():
            if path.name != "log":
                path.unlink()
        for kind in ("linked", "renamed", "removed"):
            for at in range(self._counts[kind]):
                (self._folder / f"{kind}-{at}").write_bytes(BLOCK[:SMALL_BYTES])
        os.sync()

    def change(self) -> None:
        """The change; what is made durable beside new files goes to a log, as a journal does it."""
        counts, folder = self._counts, str(self._folder)
        for at in range(counts["made"]):
            file = os.open(f"{folder}/made-{at}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(file, BLOCK[:SMALL_BYTES])
            if at < counts["synced"]:
                os.fsync(file)
            os.close(file)
        for at in range(counts["linked"]):
            os.link(f"{folder}/linked-{at}", f"{folder}/link-{at}")
        for at in range(counts["removed"]):
            os.unlink(f"{folder}/removed-{at}")
        for _ in range(counts["synced"] - counts["made"]):
            os.write(self._log, BLOCK)
            os.fsync(self._log)
        for at in range(counts["renamed"]):
            os.rename(f"{folder}/renamed-{at}", f"{folder}/name-{at}")

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._log)
        shutil.rmtree(self._folder)


def change(repository: Repository, remote: Remote, files: Files, have: str, want: str) -> Taken:
    """One change of the branch from `have` to `want`, at rest before; the server is asked for its counters
    just before, as for an agent."""
    with Asking(remote.url(repository.name)) as asking:
        asking.what_there_is()
        files.prepare()
        time.sleep(REST_SECONDS)
        repository.push(want)
        remote.counters()
        used, began = time.thread_time(), time.perf_counter()
        asking.what_there_is()
        ids = unpack(asking.what_is_new(want, have))
        files.change()
        taken = Taken(time.perf_counter() - began, time.thread_time() - used)
    if bytes.fromhex(want) not in ids:
        raise RuntimeError("the pack is without the commit that was asked for")
    return taken
