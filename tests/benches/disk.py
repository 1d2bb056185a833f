"""Disk that ten kept revisions take: each inode once, the live and the state volume together."""

from __future__ import annotations

from pathlib import Path

from . import processes
from .run import Run

KEPT = 10
SIZE_LIMIT = 10_000


def measure(run: Run) -> None:
    """10,000 files (or the largest size below), one in a hundred of them changed each time."""
    size = max([size for size in run.sizes if size <= SIZE_LIMIT] or [min(run.sizes)])
    run.say(f"disk: {size} files, {KEPT} revisions kept")
    repository = run.repository(size)
    with run.agent(repository) as agent, run.commands(repository, keep=KEPT) as peers:
        control = agent.start()
        for peer in peers:
            peer.look()
        for commit in repository.prepare(KEPT, max(1, size // 100)):
            repository.push(commit.revision)
            control.look()
            for peer in peers:
                peer.look()
        processes.settle(agent.pid)
        places = [(agent.name, agent.place), *((peer.name, peer.place) for peer in peers)]
        for name, place in places:
            used, inodes = usage([place.live_volume, place.state_volume])
            run.results.add("disk.bytes", size, name, "bytes", used)
            run.results.add("disk.inodes", size, name, "", inodes)


def usage(folders: list[Path]) -> tuple[int, int]:
    """Bytes on disk and inodes below some folders; what has several names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for folder in folders:
        for path in folder.rglob("*"):
            status = path.lstat()
            seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values()), len(seen)
