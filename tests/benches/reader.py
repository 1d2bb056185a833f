"""A reader of the live path: when does it see a commit?"""

from __future__ import annotations

import time
from pathlib import Path

from .repositories import Commit

STEP_SECONDS = 0.0002
"""Between two looks of the reader; a figure is late by at most this and one look."""

VISIBLE_SECONDS_MAX = 300.0


def is_live(live: Path, commit: Commit) -> bool:
    """Whether whoever opens the watched file now reads the commit's bytes."""
    try:
        with open(live / commit.watched, "rb", buffering=0) as file:
            return file.read(len(commit.mark)) == commit.mark
    except FileNotFoundError:
        return False


def await_live(live: Path, commit: Commit, log: Path) -> float:
    """Waits until the commit is live; gives the time it was, of `time.perf_counter`."""
    end = time.perf_counter() + VISIBLE_SECONDS_MAX
    while not is_live(live, commit):
        if time.perf_counter() > end:
            tail = log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"commit {commit.sequence} never became live\n{tail}")
        time.sleep(STEP_SECONDS)
    return time.perf_counter()


def sequence_at(live: Path, watched: str) -> int:
    """Which commit of the chain the watched file is of; -1 when it cannot be read."""
    try:
        with open(live / watched, "rb", buffering=0) as file:
            return int(file.read(40).split(b"\n")[0].removeprefix(b"sequence: "))
    except (FileNotFoundError, ValueError):
        return -1
