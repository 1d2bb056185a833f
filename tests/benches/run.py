"""A run: what every subject is given."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import repositories
from .remote import Remote
from .repositories import Repository
from .results import Results
from .tools import Agent, Command, Place


@dataclass
class Run:
    """The program, the sizes, where to work, and where results go."""

    binary: Path
    git_sync: Path | None
    folder: Path
    sizes: list[int]
    rounds: int
    quick: bool
    remote: Remote
    results: Results
    _made: dict[str, Repository] = field(default_factory=dict)
    _places: int = 0
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Progress, for who waits."""
        print(f"{time.monotonic() - self.began:6.0f} s  {text}", file=sys.stderr, flush=True)

    def repository(self, files: int, commits: int = 1, refs: int = 0) -> Repository:
        """A repository of that kind, made at the first call."""
        name = f"files-{files}-commits-{commits}-refs-{refs}"
        if name not in self._made:
            self.say(f"making a repository: {files} files, {commits} commits, {refs} references")
            folder = self.folder / "repositories" / name
            folder.parent.mkdir(exist_ok=True)
            self._made[name] = repositories.make(folder, files, commits, refs)
        return self._made[name]

    @contextmanager
    def place(self, tool: str, repository: Repository) -> Iterator[Place]:
        """An empty place to work in, removed at the end."""
        self._places += 1
        place = Place(self.folder / f"{self._places}-{tool}", self.remote.url(repository.name))
        place.make()
        try:
            yield place
        finally:
            place.remove()

    @contextmanager
    def agent(
        self, repository: Repository, verb: str = "sync", interval: str = "1h", **settings: str
    ) -> Iterator[Agent]:
        """An agent that is not started yet, and is stopped at the end."""
        with self.place("kconfigd", repository) as place:
            named = {f"KCONFIGD_{name}": value for name, value in settings.items()}
            agent = Agent(self.binary, place, verb, interval, named)
            try:
                yield agent
            finally:
                if hasattr(agent, "_process"):
                    agent.stop()

    @contextmanager
    def commands(self, repository: Repository, keep: int = 0) -> Iterator[list[Command]]:
        """The peers: the shell, and git-sync when it was given."""
        with self.place("shell", repository) as shell:
            peers = [Command("shell", shell, keep=keep)]
            if self.git_sync is None:
                yield peers
                return
            with self.place("git-sync", repository) as other:
                yield [*peers, Command("git-sync", other, self.git_sync)]
