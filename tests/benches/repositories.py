"""Repositories to follow, made by `git fast-import`: nothing is checked out and no hook runs."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

FILES_A_FOLDER = 100
"""A tree of 100,000 files is 1,000 folders of this many."""

BRANCH = "main"
BEGAN = 1_700_000_000
"""Commits are dated from here on, a second apart, so that a run's ids are the same everywhere."""

IDENTITY = "Bench <bench@example.com>"

GIT_ENV = {
    **os.environ,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
}


@dataclass
class Commit:
    """A commit that was made and is not pushed yet."""

    revision: str
    sequence: int
    watched: str
    """The file that tells a reader that the commit is live."""

    @property
    def mark(self) -> bytes:
        """What that file begins with once it is."""
        return mark(self.sequence)


@dataclass
class Repository:
    """A bare repository, and how to push to it in no time."""

    folder: Path
    files: int
    sequence: int = 0
    tip: str = ""
    """The last commit that was made."""
    shown: str = ""
    """The one that the branch shows."""
    prepared: list[Commit] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its path below the server."""
        return self.folder.name

    def prepare(self, count: int, changed: int = 1, same_file: bool = False) -> list[Commit]:
        """Makes commits on top of the last one made, without moving the branch.

        `changed` files differ in each; with `same_file` it is the same one every time.
        """
        commits: list[tuple[int, str]] = []
        with _Import(self.folder) as stream:
            for number in range(count):
                self.sequence += 1
                first = 0 if same_file else (self.sequence * 7919) % self.files
                paths = [path_of((first + step) % self.files) for step in range(changed)]
                stream.commit("refs/bench/next", self.sequence, self.tip if number == 0 else None)
                for path in paths:
                    stream.file(path, content(path, self.sequence))
                commits.append((self.sequence, paths[0]))
        listed = self._git("rev-list", f"--max-count={count}", "--first-parent", "refs/bench/next")
        revisions = list(reversed(listed.split()))
        self._git("update-ref", "-d", "refs/bench/next")
        self.tip = revisions[-1]
        return [
            Commit(revision, sequence, watched)
            for revision, (sequence, watched) in zip(revisions, commits, strict=True)
        ]

    def push(self, revision: str) -> None:
        """Moves the branch, as a push does: one rename. No process, so it costs no time."""
        branch = self.folder / "refs" / "heads" / BRANCH
        branch.parent.mkdir(parents=True, exist_ok=True)
        beside = self.folder / "bench-ref"
        beside.write_text(revision + "\n")
        beside.rename(branch)
        self.shown = revision

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            env=GIT_ENV,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()


def path_of(number: int) -> str:
    """The path of one file of a repository."""
    return f"group-{number // FILES_A_FOLDER:04}/part-{number % FILES_A_FOLDER:02}.yaml"


def mark(sequence: int) -> bytes:
    """The first line of a file as of one commit."""
    return b"sequence: %d\n" % sequence


def content(path: str, sequence: int) -> bytes:
    """A configuration file of about 600 bytes, unlike any other."""
    lines = [mark(sequence), b"name: %s\n" % path.encode(), b"rules:\n"]
    seed = hash_of(path) ^ sequence
    for rule in range(8):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        lines.append(
            b"  - {id: rule-%d, weight: %d, target: node-%04x.example.com, token: %016x}\n"
            % (rule, seed % 100, seed >> 48, seed)
        )
    return b"".join(lines)


def hash_of(text: str) -> int:
    """FNV-1a: the same in every run, unlike Python's own."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


def make(folder: Path, files: int, commits: int = 1, refs: int = 0) -> Repository:
    """A repository with that many files, commits on its branch, and further references."""
    subprocess.run(
        ["git", "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(folder)],
        env=GIT_ENV,
        check=True,
    )
    settings = "[gc]\n\tauto = 0\n[fastimport]\n\tunpackLimit = 0\n[maintenance]\n\tauto = false\n"
    with (folder / "config").open("a") as config:
        config.write(settings)
    repository = Repository(folder, files)
    with _Import(folder) as stream:
        stream.commit(f"refs/heads/{BRANCH}", 0, None)
        for number in range(files):
            path = path_of(number)
            stream.file(path, content(path, 0))
        for _ in range(commits - 1):
            repository.sequence += 1
            stream.commit(f"refs/heads/{BRANCH}", repository.sequence, None)
            path = path_of((repository.sequence * 7919) % files)
            stream.file(path, content(path, repository.sequence))
    repository.tip = repository.shown = repository._git("rev-parse", BRANCH)
    if refs:
        # As `git pack-refs` would leave them, without making 20,000 files first.
        packed = "# pack-refs with: peeled fully-peeled sorted \n" + "".join(
            f"{repository.tip} refs/heads/topic/{number:05}\n" for number in range(refs)
        )
        (folder / "packed-refs").write_text(packed)
    return repository


class _Import:
    """A `git fast-import` that is being written to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> _Import:
        self._process = subprocess.Popen(
            ["git", "-C", str(self._folder), "fast-import", "--quiet", "--force"],
            stdin=subprocess.PIPE,
            env=GIT_ENV,
        )
        assert self._process.stdin is not None
        self._out: IO[bytes] = self._process.stdin
        return self

    def commit(self, reference: str, sequence: int, parent: str | None) -> None:
        """Begins a commit; without `parent` it follows the one before."""
        message = b"change %d" % sequence
        self._out.write(
            b"commit %s\ncommitter %s %d +0000\ndata %d\n%s\n"
            % (reference.encode(), IDENTITY.encode(), BEGAN + sequence, len(message), message)
        )
        if parent:
            self._out.write(b"from %s\n" % parent.encode())

    def file(self, path: str, text: bytes) -> None:
        """Writes a file of the commit that was begun."""
        self._out.write(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(text), text))

    def __exit__(self, kind: object, *_: object) -> None:
        self._out.close()
        if self._process.wait() != 0 and kind is None:
            raise RuntimeError(f"git fast-import failed in {self._folder}")
