"""Back to the deployment before: asked of the agent, and by the command."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from . import bare, processes, syscalls
from .control import Control
from .reader import STEP_SECONDS
from .run import Run
from .tools import Agent

ROUNDS = 20
DEPLOYMENTS = 4


def measure(run: Run) -> None:
    """The smallest size and the largest."""
    for size in sorted({min(run.sizes), max(run.sizes)}):
        repository = run.repository(size)
        run.say(f"rollback: {size} files")
        with run.agent(repository, LIVE__DRIFT_INTERVAL="1h") as agent:
            control = agent.start()
            targets = []
            for commit in repository.prepare(DEPLOYMENTS):
                repository.push(commit.revision)
                control.look()
                targets.append((control.history()[0]["deployment"], commit.watched))
            two = [number for number, _ in targets[:2]]
            rounds = 4 if run.quick else ROUNDS
            for number in range(rounds):
                _settle(agent)
                target = two[number % 2]
                before, began = agent.live.readlink(), time.perf_counter()
                control.begin("POST", "/api/config/rollback?wait=300s", {"to": target})
                _until_moved(agent.live, before)
                run.results.add(
                    "rollback.agent", size, agent.name, "s", time.perf_counter() - began
                )
                control.end()
                whole = time.perf_counter() - began
                run.results.add("rollback.answered", size, agent.name, "s", whole)
            _bare(run, size, agent, control, two, rounds)
            for number in range(rounds):
                _settle(agent)
                ended = agent.command("rollback", str(two[number % 2])).wait()
                run.results.add("rollback.command", size, agent.name, "s", ended.wall_seconds)
    _shell(run)


def _bare(
    run: Run, size: int, agent: Agent, control: Control, two: list[int], rounds: int
) -> None:
    """A program that makes as many files durable until its link is moved, and nothing else."""
    if not syscalls.available():
        run.results.note("files and processes are not counted: strace is missing")
        return
    _settle(agent)
    out = agent.place.folder / "strace"
    with syscalls.Attached(agent.pid, out):
        control.ask("POST", "/api/config/rollback?wait=300s", {"to": two[rounds % 2]})
        _settle(agent)
    control.ask("POST", "/api/config/rollback?wait=300s", {"to": two[(rounds + 1) % 2]})
    counts = syscalls.by_kind(syscalls.count(out, agent.place, until_renamed=agent.live))
    with bare.Files(agent.place.folder, counts) as files:
        for _ in range(rounds):
            files.prepare()
            time.sleep(bare.REST_SECONDS)
            began = time.perf_counter()
            files.change()
            wall = time.perf_counter() - began
            run.results.add("rollback.bare", size, agent.name, "s", wall)
    run.results.add_multiple("rollback.times", "rollback.agent", "rollback.bare", size, agent.name)


def _settle(agent: Agent) -> None:
    processes.settle(agent.pid, limit=10.0)


def _until_moved(live: Path, before: Path) -> None:
    end = time.monotonic() + 60
    while live.readlink() == before:
        if time.monotonic() > end:
            raise RuntimeError(f"{live} was not moved back")
        time.sleep(STEP_SECONDS)


def _shell(run: Run) -> None:
    """A link swapped by hand, with no record and nothing made durable."""
    folder = run.folder / "shell-rollback"
    folder.mkdir()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(["sh", "-c", "ln -s a next && mv -T next current"], cwd=folder, check=True)
        wall = time.perf_counter() - began
        run.results.add("rollback.command", min(run.sizes), "shell", "s", wall)
