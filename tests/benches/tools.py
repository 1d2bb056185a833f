"""The three that are compared: kconfigd, plain git in a shell, and git-sync.

Each follows one repository into one folder. The shell is written as one would who knows git well:
one shallow clone, fetches without tags, no upkeep on the way, an archive unpacked into a new
folder, a link swapped in one step, and the old folder removed after that.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import processes
from .control import Control
from .processes import Ended, Started
from .repositories import BRANCH, GIT_ENV

LIVE_SECONDS_MAX = 300.0

SHELL_SCRIPT = """
set -eu
root=$1 url=$2 keep=$3
cd "$root"
if [ ! -d repo ]; then
    git init -q --bare repo
    git -C repo config gc.auto 0
    git -C repo config maintenance.auto false
    git -C repo fetch -q --no-tags --depth 1 "$url" +main:refs/heads/main
else
    git -C repo fetch -q --no-tags "$url" +main:refs/heads/main
fi
new=$(git -C repo rev-parse refs/heads/main)
old=$(readlink current || true)
[ "$old" != "trees/$new" ] || exit 0
mkdir -p "trees/$new"
git -C repo archive "$new" | tar -x -f - -C "trees/$new"
ln -s "trees/$new" next
mv -T next current
ls -t trees | tail -n "+$((keep + 2))" | while read -r gone; do rm -rf "trees/$gone"; done
"""


@dataclass
class Place:
    """Where a tool works: the two volumes' folders, made anew, and what is followed."""

    folder: Path
    url: str

    @property
    def live_volume(self) -> Path:
        """The folder with the live path in it."""
        return self.folder / "live"

    @property
    def state_volume(self) -> Path:
        """The folder with the mirror and the journal."""
        return self.folder / "state"

    @property
    def log(self) -> Path:
        """What the tool says."""
        return self.folder / "log"

    def make(self) -> None:
        """Makes the folders, empty."""
        self.remove()
        self.live_volume.mkdir(parents=True)
        self.state_volume.mkdir(mode=0o700)

    def remove(self) -> None:
        """Removes all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Command:
    """A tool that is run anew for each look: the shell, and git-sync with `--one-time`."""

    def __init__(self, name: str, place: Place, program: Path | None = None, keep: int = 0) -> None:
        self.name = name
        self.place = place
        self._program = program
        self._keep = keep
        self._script = place.folder / "sync.sh"

    @property
    def live(self) -> Path:
        """What readers open."""
        return self.place.live_volume / "current"

    @property
    def environment(self) -> dict[str, str]:
        """Nobody's git settings but the tool's own: git-sync writes some."""
        if self._program is None:
            return GIT_ENV
        home = self.place.folder
        return GIT_ENV | {"HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / "gitconfig")}

    def arguments(self) -> list[str]:
        """The command of one look."""
        root, url = str(self.place.live_volume), self.place.url
        if self._program is None:
            self._script.write_text(SHELL_SCRIPT)
            return ["sh", str(self._script), root, url, str(self._keep)]
        options = [f"--repo={url}", f"--ref={BRANCH}", f"--root={root}", "--link=current"]
        return [str(self._program), *options, "--depth=1", "--one-time"]

    def look(self) -> Ended:
        """One look, to its end."""
        return processes.run(self.arguments(), self.place.log, self.environment)

    def begin_look(self) -> Started:
        """Begins one look, whose end is not awaited here."""
        return Started(self.arguments(), self.place.log, self.environment)


@dataclass
class Agent:
    """A running kconfigd."""

    binary: Path
    place: Place
    verb: str = "sync"
    interval: str = "1h"
    settings: Mapping[str, str] = field(default_factory=dict)
    name: str = "kconfigd"

    @property
    def live(self) -> Path:
        """What readers open."""
        return self.place.live_volume / "config"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """Its settings: the defaults, but for the places and what a subject asks for."""
        kept = {name: text for name, text in GIT_ENV.items() if not name.startswith("KCONFIGD_")}
        return kept | {
            "KCONFIGD_GITOPS__REPOSITORY": self.place.url,
            "KCONFIGD_GITOPS__BRANCH": BRANCH,
            "KCONFIGD_GITOPS__SYNC_INTERVAL": self.interval,
            "KCONFIGD_GITOPS__JITTER": "0%",
            "KCONFIGD_LIVE__PATH": str(self.live),
            "KCONFIGD_STATE_DIR": str(self.place.state_volume),
            **self.settings,
        }

    def begin(self) -> None:
        """Starts it, and waits for nothing."""
        with self.place.log.open("ab") as sink:
            self._process = subprocess.Popen(
                [str(self.binary), self.verb], stdout=sink, stderr=sink, env=self.environment()
            )

    def start(self) -> Control:
        """Starts it, waits until a tree is live and it rests, and opens its control socket."""
        self.begin()
        await_that(self.live.exists, f"{self.binary} {self.verb}: nothing is live", self.place.log)
        control = Control(self.place.state_volume / "control.sock")
        control.look()
        return control

    def command(self, *arguments: str) -> Started:
        """Begins another kconfigd with the same settings."""
        return Started([str(self.binary), *arguments], self.place.log, self.environment())

    def stop(self) -> None:
        """Ends it as a service manager would."""
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def await_that(condition: Callable[[], bool], what: str, log: Path) -> None:
    """Waits until something holds; it is an error if it does not, with the end of the log."""
    end = time.monotonic() + LIVE_SECONDS_MAX
    while not condition():
        if time.monotonic() > end:
            tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise RuntimeError(f"{what} after {LIVE_SECONDS_MAX:.0f} s\n{tail}")
        time.sleep(0.001)


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
