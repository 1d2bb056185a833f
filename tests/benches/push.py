"""From a push to the live path of a running agent: by its own polls, and by a push webhook."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from . import processes
from .change import FILLING, STEADY
from .control import Control
from .reader import await_live
from .repositories import BRANCH, Commit, Repository
from .run import Run
from .tools import Agent, await_that, free_port

PUSHES = 200
PUSHES_OF_PEERS = 20
PAUSE_SECONDS = (0.03, 0.06)
"""Between two pushes, by chance: the agent's polls are not met at always the same moment."""

SECRET = b"the secret that the forge and the agent share"


def measure(run: Run) -> None:
    """The smallest size and the largest."""
    for size in sorted({min(run.sizes), max(run.sizes)}):
        repository = run.repository(size)
        _by_poll(run, size, repository)
        _by_webhook(run, size, repository)
        if size == min(run.sizes):
            _peers(run, size, repository)


def _by_poll(run: Run, size: int, repository: Repository) -> None:
    run.say(f"push: {size} files, by polls every 10 ms")
    with run.agent(repository, interval="10ms", **STEADY) as agent:
        fill(agent, agent.start(), repository)
        _pushes(run, "push.poll", size, agent, repository, lambda _: None)


def _by_webhook(run: Run, size: int, repository: Repository) -> None:
    run.say(f"push: {size} files, by webhook")
    port = free_port()
    with run.agent(repository, verb="serve", **STEADY) as agent:
        secret = agent.place.folder / "webhook.key"
        secret.write_bytes(SECRET + b"\n")
        secret.chmod(0o600)
        agent.settings = {
            **agent.settings,
            "KCONFIGD_API__LISTEN": f"127.0.0.1:{port}",
            "KCONFIGD_GITOPS__WEBHOOK_SECRET_FILE": str(secret),
        }
        try:
            control = agent.start()
        except RuntimeError as error:
            run.results.note(f"push by webhook: not available ({str(error).splitlines()[0]})")
            return
        hook = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        status = _deliver(hook, repository.tip)
        if status >= 300:
            run.results.note(f"push by webhook: not available (POST /hooks/git answers {status})")
            return

        def announce(commit: Commit) -> None:
            if _deliver(hook, commit.revision) >= 300:
                raise RuntimeError("a webhook was refused")

        fill(agent, control, repository, announce)
        _pushes(run, "push.webhook", size, agent, repository, announce)


def _deliver(hook: http.client.HTTPConnection, revision: str) -> int:
    """A push event as GitHub sends it."""
    body = json.dumps({"ref": f"refs/heads/{BRANCH}", "after": revision, "deleted": False}).encode()
    signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": revision[:32],
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    hook.request("POST", "/hooks/git", body, headers)
    answer = hook.getresponse()
    answer.read()
    return answer.status


def fill(
    agent: Agent,
    control: Control,
    repository: Repository,
    announce: Callable[[Commit], None] = lambda _: None,
) -> None:
    """Fills the history, so that what is measured is what every later push costs."""
    for commit in repository.prepare(FILLING):
        repository.push(commit.revision)
        announce(commit)
        await_live(agent.live, commit, agent.place.log)
        # The next tree is prepared at the end of a pass: the one that is asked for comes after.
        control.look()
        processes.settle(agent.pid, limit=1.0)


def _pushes(
    run: Run,
    figure: str,
    size: int,
    agent: Agent,
    repository: Repository,
    announce: Callable[[Commit], None],
) -> None:
    chance = random.Random(size)
    for commit in repository.prepare(20 if run.quick else PUSHES):
        time.sleep(chance.uniform(*PAUSE_SECONDS))
        began = time.perf_counter()
        repository.push(commit.revision)
        announce(commit)
        visible = await_live(agent.live, commit, agent.place.log)
        run.results.add(figure, size, agent.name, "s", visible - began)


def _peers(run: Run, size: int, repository: Repository) -> None:
    """The peers in a loop, a hundredth of a second apart."""
    with run.commands(repository) as peers:
        for peer in peers:
            run.say(f"push: {size} files, {peer.name} in a loop")
            peer.look()
            loop = 'while "$@" >/dev/null 2>&1; do sleep 0.01; done'
            command = ["sh", "-c", loop, "loop", *peer.arguments()]
            process = subprocess.Popen(command, env=peer.environment)
            try:
                for commit in repository.prepare(5 if run.quick else PUSHES_OF_PEERS):
                    began = time.perf_counter()
                    repository.push(commit.revision)
                    visible = await_live(peer.live, commit, peer.place.log)
                    run.results.add("push.poll", size, peer.name, "s", visible - began)
            finally:
                process.terminate()
                process.wait()
                _rest(peer.place.live_volume)


def _rest(folder: Path) -> None:
    """The look that the loop was in goes on without it: waits until nothing moves there."""
    seen: list[float] = []

    def rests() -> bool:
        time.sleep(0.3)
        seen.append(max((entry.stat().st_mtime for entry in folder.rglob("*.lock")), default=0.0))
        return len(seen) > 2 and seen[-1] == seen[-2]

    await_that(rests, f"something goes on in {folder}", folder)
