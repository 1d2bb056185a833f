"""A poll that finds nothing: its cost, and memory meanwhile."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack

from . import floor, processes
from .control import Control
from .remote import since
from .repositories import Repository
from .run import Run
from .tools import Agent, Command

LOOKS_A_ROUND = 20
WARM_SECONDS = 0.3
REFS = 20_000
COMMITS = 5_000


def measure(run: Run) -> None:
    """All sizes, then many references and many commits with the smallest of them."""
    for size in run.sizes:
        _one(run, run.repository(size), "poll", size)
    small = min(run.sizes)
    _one(run, run.repository(small, refs=REFS), "poll.refs", small)
    _one(run, run.repository(small, commits=COMMITS), "poll.commits", small)


def _one(run: Run, repository: Repository, figure: str, size: int) -> None:
    run.say(f"{figure}: {size} files")
    quiet = {"LIVE__DRIFT_INTERVAL": "1h"}
    with ExitStack() as stack:
        busy = stack.enter_context(run.agent(repository, interval="10ms", **quiet))
        busy.start()
        processes.settle(busy.pid, limit=3.0)
        os.kill(busy.pid, signal.SIGSTOP)
        # One that is stopped could not be told to end.
        stack.callback(os.kill, busy.pid, signal.SIGCONT)
        asked = stack.enter_context(run.agent(repository, **quiet))
        control = asked.start()
        processes.settle(asked.pid)
        url = run.remote.url(repository.name)
        peers = stack.enter_context(run.commands(repository))
        for peer in peers:
            peer.look()
        for _ in range(run.rounds):
            _looks(run, control, figure, size)
            _polls(run, busy, figure, size)
            run.results.add(f"{figure}.floor", size, busy.name, "s", floor.exchange_cpu_seconds(url))
            for peer in peers:
                _command(run, peer, figure, size)
            rested = processes.memory(asked.pid)
            run.results.add("memory.idle", size, asked.name, "KiB", rested.resident)
            run.results.add("memory.idle.anonymous", size, asked.name, "KiB", rested.anonymous)


def _looks(run: Run, control: Control, figure: str, size: int) -> None:
    """How long one takes, from question to answer on the control socket."""
    control.look()
    before = run.remote.counters()
    for _ in range(LOOKS_A_ROUND):
        began = time.perf_counter()
        control.look()
        wall = time.perf_counter() - began
        run.results.add(f"{figure}.wall", size, "kconfigd", "s", wall)
    passed = since(run.remote.counters(), before)
    run.results.add(f"{figure}.requests", size, "kconfigd", "", passed.requests / LOOKS_A_ROUND)


def _polls(run: Run, agent: Agent, figure: str, size: int) -> None:
    """What one costs, of the many that an agent makes by itself at an interval of 10 ms."""
    os.kill(agent.pid, signal.SIGCONT)
    time.sleep(WARM_SECONDS)
    before, used = run.remote.counters(), processes.cpu_seconds(agent.pid)
    time.sleep(0.7 if run.quick else 2.0)
    after, used_after = run.remote.counters(), processes.cpu_seconds(agent.pid)
    polling = processes.memory(agent.pid).resident
    os.kill(agent.pid, signal.SIGSTOP)
    # The answer that it waited for is not to be counted as somebody else's.
    run.remote.rest()
    passed = since(after, before)
    polls = max(passed.requests, 1)
    add = run.results.add
    add(f"{figure}.cpu", size, agent.name, "s", (used_after - used) / polls)
    add(f"{figure}.bytes", size, agent.name, "bytes", (passed.bytes_in + passed.bytes_out) / polls)
    # An agent's poll is one pass; how many requests a pass makes is counted where one is asked for.
    add(f"{figure}.connections", size, agent.name, "", passed.connections / polls)
    add(f"{figure}.server", size, agent.name, "s", passed.busy_seconds / polls)
    add("memory.polling", size, agent.name, "KiB", polling)


def _command(run: Run, peer: Command, figure: str, size: int) -> None:
    before = run.remote.counters()
    ended = peer.look()
    passed = since(run.remote.counters(), before)
    add = run.results.add
    add(f"{figure}.wall", size, peer.name, "s", ended.wall_seconds)
    add(f"{figure}.cpu", size, peer.name, "s", ended.cpu_seconds)
    add(f"{figure}.bytes", size, peer.name, "bytes", passed.bytes_in + passed.bytes_out)
    add(f"{figure}.requests", size, peer.name, "", passed.requests)
    add(f"{figure}.connections", size, peer.name, "", passed.connections)
    add(f"{figure}.server", size, peer.name, "s", passed.busy_seconds)
