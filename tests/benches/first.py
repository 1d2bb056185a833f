"""The first sync, from an empty folder."""

from __future__ import annotations

import time
from pathlib import Path

from . import processes
from .processes import Started
from .reader import STEP_SECONDS
from .remote import since
from .run import Run
from .server import Counters

MANY_FILES = 50_000
ROUNDS_OF_MANY = 2


def measure(run: Run) -> None:
    """All sizes; kconfigd is run as `sync --once`, so that all are one process to its end."""
    for size in run.sizes:
        repository = run.repository(size)
        rounds = min(run.rounds, ROUNDS_OF_MANY) if size >= MANY_FILES else run.rounds
        for number in range(rounds):
            run.say(f"first: {size} files, round {number + 1} of {rounds}")
            with run.agent(repository) as agent:
                asked = run.remote.counters()
                started = agent.command("sync", "--once")
                _until_live(run, "kconfigd", size, agent.live, started, asked)
            with run.commands(repository) as peers:
                for peer in peers:
                    asked = run.remote.counters()
                    _until_live(run, peer.name, size, peer.live, peer.begin_look(), asked)


def _until_live(
    run: Run, tool: str, size: int, live: Path, started: Started, asked: Counters
) -> None:
    while not live.exists() and started.runs():
        time.sleep(STEP_SECONDS)
    visible = time.perf_counter() - started.began
    peak = 0
    while tool == "kconfigd" and started.runs():
        peak = max(peak, started.peak_kib())
        time.sleep(STEP_SECONDS)
    ended = started.wait()
    run.results.add("first.visible", size, tool, "s", visible)
    server = since(run.remote.counters(), asked).busy_seconds
    run.results.add("first.server", size, tool, "s", server)
    run.results.add("first.cpu", size, tool, "s", ended.cpu_seconds)
    # The kernel begins a program's peak with that of who started it, and tells nothing below.
    peak = peak or (ended.peak_kib if ended.peak_kib > processes.own_peak_kib() else 0)
    if peak:
        run.results.add("memory.peak", size, tool, "KiB", peak)
