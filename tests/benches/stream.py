"""Ten commits a second for a minute: is it kept up with, and does memory grow?"""

from __future__ import annotations

import time

from . import processes
from .change import STEADY
from .push import fill
from .reader import await_live, sequence_at
from .run import Run

INTERVAL_SECONDS = 0.1
COMMITS = 600
COMMITS_QUICK = 40
SIZE_LIMIT = 10_000


def measure(run: Run) -> None:
    """One size: 10,000 files, or the largest below."""
    size = max([size for size in run.sizes if size <= SIZE_LIMIT] or [min(run.sizes)])
    count = COMMITS_QUICK if run.quick else COMMITS
    run.say(f"stream: {size} files, {count} commits, ten a second")
    repository = run.repository(size)
    with run.agent(repository, interval="10ms", **STEADY) as agent:
        control = agent.start()
        fill(agent, control, repository)
        commits = repository.prepare(count, same_file=True)
        used, deployed = processes.cpu_seconds(agent.pid), control.history()[0]["deployment"]
        memory = [processes.memory(agent.pid).resident]
        began = time.perf_counter()
        superseded = 0
        for number, commit in enumerate(commits):
            due = began + number * INTERVAL_SECONDS
            time.sleep(max(0.0, due - time.perf_counter()))
            if number and sequence_at(agent.live, commit.watched) < commits[number - 1].sequence:
                superseded += 1
            repository.push(commit.revision)
            pushed = time.perf_counter()
            if number % 10 == 0:
                memory.append(processes.memory(agent.pid).resident)
        last = await_live(agent.live, commits[-1], agent.place.log) - pushed
        add = run.results.add
        add("stream.last", size, agent.name, "s", last)
        add("stream.late", size, agent.name, "", superseded)
        cpu = processes.settle(agent.pid, limit=5.0) - used
        add("stream.cpu", size, agent.name, "s", cpu / count)
        quarter = max(1, len(memory) // 4)
        early, late = max(memory[:quarter]), max(memory[-quarter:])
        add("stream.memory.early", size, agent.name, "KiB", early)
        add("stream.memory.late", size, agent.name, "KiB", late)
        add("stream.memory.growth", size, agent.name, "KiB", late - early)
        newest = control.history()
        add("stream.deployments", size, agent.name, "", newest[0]["deployment"] - deployed)
        failed = [item for item in newest if item["outcome"] not in ("live", "superseded")]
        add("stream.failed", size, agent.name, "", len(failed))
