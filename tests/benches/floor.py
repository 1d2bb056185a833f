"""What the machine itself takes, whoever asks it: so that a figure can be read on another one."""

from __future__ import annotations

import ctypes
import os
import shutil
import statistics
import time
from pathlib import Path

from .bare import BLOCK, SMALL_BYTES, Asking

EXCHANGES = 100
EXCHANGE_REST_SECONDS = 0.01
FSYNCS = 40
REPLACED_ROUNDS = 3
REPLACED_REST_SECONDS = 1.5
FILES_A_FOLDER = 100


def exchange_cpu_seconds(url: str) -> float:
    """The CPU of one small question and its answer over a socket that is open, at rest in between as
    an agent is: median."""
    used = []
    with Asking(url) as asking:
        for _ in range(EXCHANGES):
            before = time.thread_time()
            asking.what_there_is()
            used.append(time.thread_time() - before)
            time.sleep(EXCHANGE_REST_SECONDS)
    return statistics.median(used)


def fsync_seconds(folder: Path) -> float:
    """How long the disk takes to make one small new file durable: median."""
    taken = []
    path = folder / "fsync"
    for _ in range(FSYNCS):
        with open(path, "wb", buffering=0) as file:
            file.write(BLOCK)
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
        path.unlink()
    return statistics.median(taken)


def replace_seconds(folder: Path, count: int) -> float:
    """How long the file system takes to have as many small files of a tree replaced by others and all
    of that made durable, one after the other: median. The old ones stay under another name, as they
    do in the tree before, and are removed behind it, as that one is brought up to date."""
    taken = []
    place = folder / "replaced"
    paths = [place / str(at // FILES_A_FOLDER) / f"{at}.yaml" for at in range(count)]
    olds = [place / "old" / str(at) for at in range(count)]
    (place / "old").mkdir(parents=True)
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        _make(path)
    for _ in range(1 + REPLACED_ROUNDS):
        for path, old in zip(paths, olds, strict=True):
            old.unlink(missing_ok=True)
            os.link(path, old)
        os.sync()
        # What was removed in this second counts as free for a file system that passes over the rest.
        time.sleep(REPLACED_REST_SECONDS)
        began = time.perf_counter()
        for path in paths:
            _replace(path)
        _sync_volume(place)
        taken.append(time.perf_counter() - began)
    shutil.rmtree(place)
    # Before the first nothing had been removed.
    return statistics.median(taken[1:])


def _make(path: Path) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(file, BLOCK[:SMALL_BYTES])
    os.close(file)


def _replace(path: Path) -> None:
    """As an agent does it: with the rights and the time that it is to have."""
    os.unlink(path)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(file, BLOCK[:SMALL_BYTES])
    os.fchmod(file, 0o644)
    os.utime(file, (1, 1))
    os.close(file)


def _sync_volume(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).syncfs(opened) != 0:
        raise OSError(ctypes.get_errno(), "syncfs")
    os.close(opened)
