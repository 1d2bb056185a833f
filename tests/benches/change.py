"""A commit that changes one file, and one that changes one in a hundred: until a reader sees it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from . import bare, floor, processes, syscalls
from .control import Control
from .goals import KCONFIGD
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
        changes = _Changes(run, size, repository, agent, control, peers)
        run.say(f"change: {size} files, the history fills")
        for commit in repository.prepare(FILLING):
            changes.agent_follows("change.filling", commit)
        files = None
        if syscalls.available():
            # Before larger changes: the tree that is prepared next is brought over the last ones.
            counts = changes.traced()
            files = stack.enter_context(bare.Files(agent.place.folder, counts))
        else:
            run.results.note("files and processes are not counted: strace is missing")
        changes.rounds("change.one", 1, files)
        for kind in ("visible", "cpu.visible"):
            own, of = f"change.one.{kind}", f"change.one.bare.{kind}"
            run.results.add_multiple(f"change.one.times.{kind}", own, of, size, agent.name)
        if size >= PERCENT_FILES_MIN:
            changed = size // 100
            changes.rounds("change.percent", changed)
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


@dataclass
class _Changes:
    """Those who follow one repository, and its commits."""

    run: Run
    size: int
    repository: Repository
    agent: Agent
    control: Control
    peers: list[Command]

    def rounds(self, figure: str, changed: int, files: bare.Files | None = None) -> None:
        """A commit a round, followed by all; by the bare program where its files are given."""
        self.run.say(f"{figure}: {self.size} files")
        commits = self.repository.prepare(self.run.rounds, changed)
        if self.size >= MANY_FILES:
            self._rounds_of_many(figure, commits, files)
            return
        for number, commit in enumerate(commits):
            have = self.repository.shown
            self.repository.push(commit.revision)
            # Who comes second finds the server's files in memory: take turns at it.
            if number % 2 == 1:
                self._peers_follow(figure, commit)
            self._both_follow(figure, commit, files, have, number // 2 % 2 == 0)
            if number % 2 == 0:
                self._peers_follow(figure, commit)

    def _rounds_of_many(
        self, figure: str, commits: list[Commit], files: bare.Files | None
    ) -> None:
        """Not in turn: a peer removes a whole tree in each round, and a file system may pass over what
        was freed lately when it makes the next file, whoever makes it. The server's files are in memory
        for who comes second."""
        for number, commit in enumerate(commits):
            self._both_follow(figure, commit, files, self.repository.shown, number % 2 == 0)
        early, measured = commits[:-ROUNDS_OF_MANY], commits[-ROUNDS_OF_MANY:]
        for commit in early[-1:]:
            self.repository.push(commit.revision)
            for peer in self.peers:
                peer.look()
        for commit in measured:
            self.repository.push(commit.revision)
            self._peers_follow(figure, commit)

    def _both_follow(
        self,
        figure: str,
        commit: Commit,
        files: bare.Files | None,
        have: str,
        agent_first: bool,
    ) -> None:
        if agent_first:
            self.agent_follows(figure, commit)
        if files is not None:
            taken = bare.change(self.repository, self.run.remote, files, have, commit.revision)
            self._add(f"{figure}.bare.visible", "s", taken.wall_seconds)
            self._add(f"{figure}.bare.cpu.visible", "s", taken.cpu_seconds)
        if not agent_first:
            self.agent_follows(figure, commit)

    def agent_follows(self, figure: str, commit: Commit) -> None:
        """Pushes the commit, and has the agent look."""
        agent = self.agent
        used = processes.settle(agent.pid)
        # What others left in memory for the disk is not for the agent's `syncfs` to write.
        os.sync()
        self.repository.push(commit.revision)
        asked = self.run.remote.counters()
        began = time.perf_counter()
        self.control.begin_look()
        visible = await_live(agent.live, commit, agent.place.log) - began
        at_visible = processes.cpu_seconds(agent.pid) - used
        self.control.end()
        self._asked(figure, agent.name, asked)
        self._add(f"{figure}.visible", "s", visible)
        self._add(f"{figure}.cpu.visible", "s", at_visible)
        self._add(f"{figure}.cpu", "s", processes.settle(agent.pid) - used)

    def _peers_follow(self, figure: str, commit: Commit) -> None:
        for peer in self.peers:
            asked = self.run.remote.counters()
            started = peer.begin_look()
            visible = await_live(peer.live, commit, peer.place.log) - started.began
            ended = started.wait()
            self._asked(figure, peer.name, asked)
            self._add(f"{figure}.visible", "s", visible, peer.name)
            self._add(f"{figure}.cpu", "s", ended.cpu_seconds, peer.name)

    def traced(self) -> dict[str, int]:
        """Counts the files and processes of one change of each; gives what the agent does until it is
        visible, by kind."""
        self.run.say(f"change: {self.size} files, under strace")
        agent, peers = self.agent, self.peers if self.size <= TRACED_FILES_MAX else []
        for peer in peers:
            peer.look()
        commit = self.repository.prepare(1)[0]
        processes.settle(agent.pid)
        out = agent.place.folder / "strace"
        with syscalls.Attached(agent.pid, out):
            self.repository.push(commit.revision)
            self.control.look()
            processes.settle(agent.pid)
        self._counted("change.one", agent.name, syscalls.count(out, agent.place))
        until = syscalls.count(out, agent.place, until_renamed=agent.live)
        self._counted("change.one.until", agent.name, until)
        counts = syscalls.by_kind(until)
        self._add("change.one.disk", "s", counts["synced"] * floor.fsync_seconds(agent.place.folder))
        for peer in peers:
            out = peer.place.folder / "strace"
            processes.run(syscalls.traced(peer.arguments(), out), peer.place.log, peer.environment)
            self._counted("change.one", peer.name, syscalls.count(out, peer.place))
        return counts

    def _asked(self, figure: str, tool: str, before: Counters) -> None:
        passed = since(self.run.remote.counters(), before)
        self._add(f"{figure}.server", "s", passed.busy_seconds, tool)
        self._add(f"{figure}.requests", "", passed.requests, tool)
        self._add(f"{figure}.bytes", "bytes", passed.bytes_in + passed.bytes_out, tool)

    def _counted(self, figure: str, tool: str, counts: Mapping[str, int]) -> None:
        for volume in syscalls.VOLUMES:
            for kind in syscalls.FILE_KINDS:
                key = f"{volume}.{kind}"
                self._add(f"{figure}.{key}", "", counts[key], tool)
        self._add(f"{figure}.processes", "", counts["processes"], tool)

    def _add(self, figure: str, unit: str, value: float, tool: str = KCONFIGD) -> None:
        self.run.results.add(figure, self.size, tool, unit, value)
