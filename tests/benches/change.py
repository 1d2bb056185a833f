"""A commit that changes one file, and one that changes one in a hundred: until a reader sees it."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack

from . import bare, floor, processes, syscalls
from .control import Control
from .reader import await_live
from .remote import since
from .repositories import Commit, Repository
from .run import Run
from .server import Counters
from .tools import Agent, Command

SCALE_SIZES = [100, 1_000]
"""Measured beside the sizes asked for, for the plot of cost against size."""

STEADY = {"GITOPS__ROLLBACK_LIMIT": "2", "LIVE__REUSE_AFTER": "0s", "LIVE__DRIFT_INTERVAL": "1h"}
"""A history that is soon full: what an agent with ten kept is after ten changes."""

FILLING = 5
"""Commits until trees leave the history and are brought up to date instead of made."""

TRACED_FILES_MAX = 10_000
"""Larger trees are traced for kconfigd alone: the others' counts grow with the tree."""

PERCENT_FILES_MIN = 1_000

SYNCED_AT_ONCE_MIN = 300
"""From so many files on, kconfigd makes them durable by one `syncfs`, as the bare program does."""

REST_SECONDS = 2.0

MANY_FILES = 50_000
ROUNDS_OF_MANY = 3


def measure(run: Run) -> None:
    """All sizes and those of the plot."""
    extra = [size for size in SCALE_SIZES if size <= max(run.sizes)]
    for size in sorted({*run.sizes, *extra}):
        _size(run, size)


def _size(run: Run, size: int) -> None:
    repository = run.repository(size)
    with ExitStack() as stack:
        agent = stack.enter_context(run.agent(repository, **STEADY))
        control = agent.start()
        processes.settle(agent.pid)
        peers = stack.enter_context(run.commands(repository))
        for peer in peers:
            peer.look()
        run.say(f"change: {size} files, the history fills")
        for commit in repository.prepare(FILLING):
            _agent(run, "change.filling", size, agent, control, repository, commit)
        files = None
        if syscalls.available():
            # Before larger changes: the tree that is prepared next is brought over the last ones.
            counts = _traced(run, size, agent, control, peers, repository)
            files = stack.enter_context(bare.Files(agent.place.folder, counts))
        else:
            run.results.note("files and processes are not counted: strace is missing")
        _rounds(run, "change.one", 1, size, agent, control, peers, repository, files)
        _multiples(run, size, agent)
        if size >= PERCENT_FILES_MIN:
            changed = size // 100
            _rounds(run, "change.percent", changed, size, agent, control, peers, repository)
            if changed >= SYNCED_AT_ONCE_MIN:
                taken = floor.replace_seconds(agent.place.live_volume, changed)
                run.results.add("change.percent.floor", size, agent.name, "s", taken)
        # Between polls, which are further apart than this, an agent gives back what it does not need; and
        # what it does for somebody else since, such as closing a connection, is mapped until the next.
        control.look()
        time.sleep(REST_SECONDS)
        memory = processes.memory(agent.pid)
        run.results.add("memory.changes", size, agent.name, "KiB", memory.resident)
        run.results.add("memory.changes.peak", size, agent.name, "KiB", memory.peak)


def _rounds(
    run: Run,
    figure: str,
    changed: int,
    size: int,
    agent: Agent,
    control: Control,
    peers: list[Command],
    repository: Repository,
    files: bare.Files | None = None,
) -> None:
    run.say(f"{figure}: {size} files")
    if size >= MANY_FILES:
        _rounds_of_many(run, figure, changed, size, agent, control, peers, repository, files)
        return
    for number, commit in enumerate(repository.prepare(run.rounds, changed)):
        have = repository.shown
        repository.push(commit.revision)
        # Who comes second finds the server's files in memory: take turns at it.
        if number % 2 == 1:
            _peers(run, figure, size, peers, commit)
        turn = number // 2 % 2
        _both(run, figure, size, agent, control, repository, files, have, commit, turn)
        if number % 2 == 0:
            _peers(run, figure, size, peers, commit)


def _rounds_of_many(
    run: Run,
    figure: str,
    changed: int,
    size: int,
    agent: Agent,
    control: Control,
    peers: list[Command],
    repository: Repository,
    files: bare.Files | None,
) -> None:
    """Not in turn: a peer removes a whole tree in each round, and a file system may pass over what was
    freed lately when it makes the next file, whoever makes it. The server's files are in memory for
    who comes second."""
    commits = repository.prepare(run.rounds, changed)
    for number, commit in enumerate(commits):
        have, turn = repository.shown, number % 2
        _both(run, figure, size, agent, control, repository, files, have, commit, turn)
    early, measured = commits[:-ROUNDS_OF_MANY], commits[-ROUNDS_OF_MANY:]
    for commit in early[-1:]:
        repository.push(commit.revision)
        for peer in peers:
            peer.look()
    for commit in measured:
        repository.push(commit.revision)
        _peers(run, figure, size, peers, commit)


def _peers(run: Run, figure: str, size: int, peers: list[Command], commit: Commit) -> None:
    for peer in peers:
        _command(run, figure, size, peer, commit)


def _both(
    run: Run,
    figure: str,
    size: int,
    agent: Agent,
    control: Control,
    repository: Repository,
    files: bare.Files | None,
    have: str,
    commit: Commit,
    turn: int,
) -> None:
    """The agent and the bare program, in this order and in the other."""
    if turn == 0:
        _agent(run, figure, size, agent, control, repository, commit)
    _bare(run, figure, size, agent, repository, files, have, commit)
    if turn == 1:
        _agent(run, figure, size, agent, control, repository, commit)


def _agent(
    run: Run,
    figure: str,
    size: int,
    agent: Agent,
    control: Control,
    repository: Repository,
    commit: Commit,
) -> None:
    used = processes.settle(agent.pid)
    # What others left in memory for the disk is not for the agent's `syncfs` to write.
    os.sync()
    repository.push(commit.revision)
    asked = run.remote.counters()
    began = time.perf_counter()
    control.begin_look()
    visible = await_live(agent.live, commit, agent.place.log) - began
    at_visible = processes.cpu_seconds(agent.pid) - used
    control.end()
    _asked(run, figure, size, agent.name, asked)
    run.results.add(f"{figure}.visible", size, agent.name, "s", visible)
    run.results.add(f"{figure}.cpu.visible", size, agent.name, "s", at_visible)
    run.results.add(f"{figure}.cpu", size, agent.name, "s", processes.settle(agent.pid) - used)


def _command(run: Run, figure: str, size: int, peer: Command, commit: Commit) -> None:
    asked = run.remote.counters()
    started = peer.begin_look()
    visible = await_live(peer.live, commit, peer.place.log) - started.began
    ended = started.wait()
    _asked(run, figure, size, peer.name, asked)
    run.results.add(f"{figure}.visible", size, peer.name, "s", visible)
    run.results.add(f"{figure}.cpu", size, peer.name, "s", ended.cpu_seconds)


def _asked(run: Run, figure: str, size: int, tool: str, before: Counters) -> None:
    passed = since(run.remote.counters(), before)
    run.results.add(f"{figure}.server", size, tool, "s", passed.busy_seconds)
    run.results.add(f"{figure}.requests", size, tool, "", passed.requests)
    run.results.add(f"{figure}.bytes", size, tool, "bytes", passed.bytes_in + passed.bytes_out)


def _traced(
    run: Run,
    size: int,
    agent: Agent,
    control: Control,
    peers: list[Command],
    repository: Repository,
) -> dict[str, int]:
    """What a change does until it is visible, by kind, on both volumes together."""
    run.say(f"change: {size} files, under strace")
    traced = peers if size <= TRACED_FILES_MAX else []
    for peer in traced:
        peer.look()
    commit = repository.prepare(1)[0]
    processes.settle(agent.pid)
    out = agent.place.folder / "strace"
    with syscalls.Attached(agent.pid, out):
        repository.push(commit.revision)
        control.look()
        processes.settle(agent.pid)
    _counted(run, "change.one", size, agent.name, syscalls.count(out, agent.place))
    until = syscalls.count(out, agent.place, until_renamed=agent.live)
    _counted(run, "change.one.until", size, agent.name, until)
    disk = (until["live.synced"] + until["state.synced"]) * floor.fsync_seconds(agent.place.folder)
    run.results.add("change.one.disk", size, agent.name, "s", disk)
    for peer in traced:
        out = peer.place.folder / "strace"
        processes.run(syscalls.traced(peer.arguments(), out), peer.place.log, peer.environment)
        _counted(run, "change.one", size, peer.name, syscalls.count(out, peer.place))
    return bare.counts_of(until)


def _bare(
    run: Run,
    figure: str,
    size: int,
    agent: Agent,
    repository: Repository,
    files: bare.Files | None,
    have: str,
    commit: Commit,
) -> None:
    if files is not None:
        taken = bare.change(repository, run.remote, files, have, commit.revision)
        run.results.add(f"{figure}.bare.visible", size, agent.name, "s", taken.wall_seconds)
        run.results.add(f"{figure}.bare.cpu.visible", size, agent.name, "s", taken.cpu_seconds)


def _multiples(run: Run, size: int, agent: Agent) -> None:
    for figure in ("visible", "cpu.visible"):
        own = run.results.get(f"change.one.{figure}", size, agent.name)
        other = run.results.get(f"change.one.bare.{figure}", size, agent.name)
        if own and other:
            times = own.median / other.median
            run.results.add(f"change.one.times.{figure}", size, agent.name, "×", times)


def _counted(run: Run, figure: str, size: int, tool: str, counts: dict[str, int]) -> None:
    for volume in ("live", "state"):
        for kind in bare.KINDS_OF_FILES:
            key = f"{volume}.{kind}"
            run.results.add(f"{figure}.{key}", size, tool, "", counts[key])
    run.results.add(f"{figure}.processes", size, tool, "", counts["processes"])
