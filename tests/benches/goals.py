"""The rows of the table: what each figure is called, and what it is to be at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .results import Results, Series

MS = 1e-3
MIB = 1 << 10
"""KiB in a MiB: memory is told in KiB."""

KCONFIGD = "kconfigd"
PEERS = ["shell", "git-sync"]

Limit = Callable[[Results, int], float | None]
"""What a figure of one size is to be at most; `None`: nothing is set, or cannot be told."""


@dataclass(frozen=True)
class Row:
    """One figure, in all its sizes."""

    section: str
    title: str
    figure: str
    limit: Limit = lambda _results, _size: None
    worst: bool = False
    """The 99th percentile instead of the median."""

    def value(self, series: Series) -> float:
        """The one number of the row."""
        return series.p99 if self.worst else series.median


def at_most(limit: float, since: int = 0) -> Limit:
    """A number, for trees of so many files and more."""

    def of(_results: Results, size: int) -> float | None:
        return limit if size >= since else None

    return of


def _visible(_results: Results, size: int) -> float:
    return (11 if size <= 100 else 12) * MS


def _times_bare(_results: Results, size: int) -> float:
    """The goals as multiples of what the machine that they were set on needs at least, 8.9 ms."""
    return (11 if size <= 100 else 12) / 8.9


def _first(results: Results, size: int) -> float | None:
    """A small tree by a number, a large one by what git-sync takes."""
    if size <= 40:
        return 30 * MS
    other = results.get("first.visible", size, "git-sync")
    return 0.7 * other.median if other and size >= 100_000 else None


def _times(figure: str, factor: float, least: float = 0.0) -> Limit:
    """So many times the median of another figure of kconfigd."""

    def of(results: Results, size: int) -> float | None:
        other = results.get(figure, size, KCONFIGD)
        return max(factor * other.median, least) if other else None

    return of


def _percent(_results: Results, size: int) -> float | None:
    return 300 * MS if size >= 100_000 else None


POLL = "A poll that finds nothing"
FIRST = "First sync"
ONE = "One file changed"
PERCENT = "One file in a hundred changed"
PUSH = "From a push to the live path"
STREAM = "Ten commits a second for a minute"
MEMORY = "Memory"
DISK = "Ten revisions kept"
ROLLBACK = "Rollback"
DRIFT = "Drift scan"

BARE = "a bare program that asks, fetches, unpacks, writes as many files, and checks nothing"

ROWS = [
    Row(POLL, "wall", "poll.wall", at_most(4 * MS)),
    Row(POLL, "of that, the git server", "poll.server"),
    Row(POLL, "CPU", "poll.cpu", at_most(0.3 * MS)),
    Row(POLL, "CPU of a bare socket for the same", "poll.floor"),
    Row(POLL, "requests", "poll.requests", at_most(1)),
    Row(POLL, "connections opened", "poll.connections", at_most(0.01)),
    Row(POLL, "bytes", "poll.bytes", at_most(650)),
    Row(POLL, "20,000 references: wall", "poll.refs.wall", at_most(4 * MS)),
    Row(POLL, "20,000 references: CPU", "poll.refs.cpu", at_most(0.3 * MS)),
    Row(POLL, "20,000 references: bytes", "poll.refs.bytes", at_most(650)),
    Row(POLL, "5,000 commits: wall", "poll.commits.wall", at_most(4 * MS)),
    Row(POLL, "5,000 commits: bytes", "poll.commits.bytes", at_most(650)),
    Row(FIRST, "until visible", "first.visible", _first),
    Row(FIRST, "of that, the git server", "first.server"),
    Row(FIRST, "CPU", "first.cpu"),
    Row(ONE, "until visible", "change.one.visible", _visible),
    Row(ONE, "of that, the git server", "change.one.server"),
    Row(ONE, "of that, the disk: its fsyncs", "change.one.disk"),
    Row(ONE, BARE, "change.one.bare.visible"),
    Row(ONE, "until visible, as a multiple of that", "change.one.times.visible", _times_bare),
    Row(ONE, "until visible, slowest", "change.one.visible", worst=True),
    Row(ONE, "until visible, while the history fills", "change.filling.visible"),
    Row(ONE, "CPU until visible", "change.one.cpu.visible", at_most(2.5 * MS)),
    Row(ONE, "CPU of that bare program", "change.one.bare.cpu.visible"),
    Row(ONE, "CPU until visible, as a multiple of that", "change.one.times.cpu.visible"),
    Row(ONE, "CPU in all", "change.one.cpu"),
    Row(ONE, "requests", "change.one.requests"),
    Row(ONE, "bytes", "change.one.bytes"),
    Row(ONE, "live volume until visible: made", "change.one.until.live.made", at_most(4)),
    Row(ONE, "live volume until visible: removed", "change.one.until.live.removed", at_most(3)),
    Row(ONE, "live volume until visible: fsyncs", "change.one.until.live.synced"),
    Row(ONE, "live volume in all: made", "change.one.live.made", at_most(4)),
    Row(ONE, "live volume in all: hard links", "change.one.live.linked"),
    Row(ONE, "live volume in all: renamed", "change.one.live.renamed"),
    Row(ONE, "live volume in all: removed", "change.one.live.removed"),
    Row(ONE, "live volume in all: fsyncs", "change.one.live.synced"),
    Row(ONE, "state volume: made", "change.one.state.made"),
    Row(ONE, "state volume: renamed", "change.one.state.renamed"),
    Row(ONE, "state volume: removed", "change.one.state.removed"),
    Row(ONE, "state volume: fsyncs", "change.one.state.synced"),
    Row(ONE, "programs started", "change.one.processes", at_most(0)),
    Row(PERCENT, "until visible", "change.percent.visible", _percent),
    Row(PERCENT, "of that, the git server", "change.percent.server"),
    Row(PERCENT, "a bare program that replaces as many files", "change.percent.floor"),
    Row(PERCENT, "CPU in all", "change.percent.cpu"),
    Row(PUSH, "asking every 10 ms, median", "push.poll", at_most(18 * MS)),
    Row(PUSH, "asking every 10 ms, p99", "push.poll", worst=True),
    Row(PUSH, "by webhook, median", "push.webhook", at_most(12 * MS)),
    Row(PUSH, "by webhook, p99", "push.webhook", _times("push.webhook", 2), worst=True),
    Row(STREAM, "the last one is live after", "stream.last", at_most(100 * MS)),
    Row(STREAM, "not live when the next one came", "stream.late"),
    Row(STREAM, "memory grew by", "stream.memory.growth", at_most(1 * MIB)),
    Row(STREAM, "CPU a commit", "stream.cpu"),
    Row(STREAM, "deployments", "stream.deployments"),
    Row(STREAM, "deployments that failed", "stream.failed", at_most(0)),
    Row(MEMORY, "resident between polls", "memory.idle", at_most(8 * MIB)),
    Row(MEMORY, "of that, its own", "memory.idle.anonymous"),
    Row(MEMORY, "resident, polling every 10 ms", "memory.polling"),
    Row(MEMORY, "resident after changes", "memory.changes", at_most(8 * MIB)),
    Row(MEMORY, "peak of the first sync", "memory.peak", at_most(60 * MIB)),
    Row(
        MEMORY,
        "peak of the agent, its first sync included",
        "memory.changes.peak",
        at_most(60 * MIB),
    ),
    Row(DISK, "bytes", "disk.bytes", at_most(65e6, since=10_000)),
    Row(DISK, "inodes", "disk.inodes"),
    Row(ROLLBACK, "in the agent, until visible", "rollback.agent", at_most(2 * MS)),
    Row(ROLLBACK, "a bare program that makes as many files durable", "rollback.bare"),
    Row(
        ROLLBACK,
        "in the agent, until visible, as a multiple of that",
        "rollback.times",
        at_most(2 / 0.5),
    ),
    Row(ROLLBACK, "in the agent, until answered", "rollback.answered"),
    Row(ROLLBACK, "by command", "rollback.command", at_most(10 * MS)),
    Row(DRIFT, "wall", "drift.wall", at_most(0.5)),
    Row(DRIFT, "CPU", "drift.cpu"),
    Row(DRIFT, "push to live without one", "drift.push.alone"),
    Row(
        DRIFT,
        "push to live beside one",
        "drift.push.beside",
        _times("drift.push.alone", 1.5, least=18 * MS),
    ),
]
