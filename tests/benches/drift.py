"""A comparison of all live files with what they should be, and whether a commit waits for it."""

from __future__ import annotations

import random
import time

from . import processes
from .change import STEADY
from .control import Control
from .push import PAUSE_SECONDS, fill
from .reader import await_live
from .repositories import Repository
from .run import Run
from .tools import Agent

SCANS = 10
PUSHES = 50
SCAN_INTERVAL = "250ms"
"""The regular scan takes about as long: there is nearly always one beside."""


def measure(run: Run) -> None:
    """The largest size."""
    size = max(run.sizes)
    repository = run.repository(size)
    run.say(f"drift: {size} files")
    with run.agent(repository, interval="10ms", **STEADY) as agent:
        control = agent.start()
        fill(agent, control, repository)
        for _ in range(3 if run.quick else SCANS):
            began, used = time.perf_counter(), processes.cpu_seconds(agent.pid)
            scan(control)
            run.results.add("drift.wall", size, agent.name, "s", time.perf_counter() - began)
            cpu = processes.cpu_seconds(agent.pid) - used
            run.results.add("drift.cpu", size, agent.name, "s", cpu)
        _pushes(run, "drift.push.alone", size, agent, repository)
    often = {**STEADY, "LIVE__DRIFT_INTERVAL": SCAN_INTERVAL}
    with run.agent(repository, interval="10ms", **often) as agent:
        fill(agent, agent.start(), repository)
        _pushes(run, "drift.push.beside", size, agent, repository)


def scan(control: Control) -> None:
    """One comparison, to its end."""
    control.ask("POST", "/api/config/drift?wait=300s", {})


def _pushes(run: Run, figure: str, size: int, agent: Agent, repository: Repository) -> None:
    chance = random.Random(size)
    for commit in repository.prepare(10 if run.quick else PUSHES):
        time.sleep(chance.uniform(*PAUSE_SECONDS))
        began = time.perf_counter()
        repository.push(commit.revision)
        visible = await_live(agent.live, commit, agent.place.log)
        run.results.add(figure, size, agent.name, "s", visible - began)
