"""What a tool does to the two volumes, counted by strace in a round of its own."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from .tools import Place

TRACED = (
    "open,openat,creat,mkdir,mkdirat,link,linkat,symlink,symlinkat,rename,renameat,renameat2,"
    "unlink,unlinkat,rmdir,fsync,fdatasync,sync_file_range,syncfs,sync,execve"
)

ATTACHED_SECONDS_MAX = 20.0

KINDS = {
    "creat": "made",
    "mkdir": "made",
    "mkdirat": "made",
    "link": "linked",
    "linkat": "linked",
    "symlink": "made",
    "symlinkat": "made",
    "rename": "renamed",
    "renameat": "renamed",
    "renameat2": "renamed",
    "unlink": "removed",
    "unlinkat": "removed",
    "rmdir": "removed",
    "fsync": "synced",
    "fdatasync": "synced",
    "sync_file_range": "synced",
    "syncfs": "synced",
    "sync": "synced",
    "execve": "processes",
}

VOLUMES = ("live", "state")
FILE_KINDS = ("made", "linked", "renamed", "removed", "synced")

LINE = re.compile(r"^(?:\d+\s+)?(\w+)\((.*)\)\s+= (-?\d+)")
RESUMED = re.compile(r"^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$")
UNFINISHED = re.compile(r"^(\d+)\s+(.*) <unfinished \.\.\.>$")
FOLDER = re.compile(r"(?:AT_FDCWD|\d+)<([^>]*)>")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def available() -> bool:
    """Whether strace is here."""
    return shutil.which("strace") is not None


class Attached:
    """strace on a process that runs, as long as the `with` lasts."""

    def __init__(self, pid: int, out: Path) -> None:
        self._command = ["strace", "-f", "-y", "-q", "-p", str(pid)]
        self._command += ["-o", str(out), "-e", f"trace={TRACED}"]
        self._pid = pid

    def __enter__(self) -> Attached:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        end = time.monotonic() + ATTACHED_SECONDS_MAX
        while not self._has_all_threads():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError("strace could not be attached")
            time.sleep(0.01)
        return self

    def _has_all_threads(self) -> bool:
        tracers = []
        for task in Path(f"/proc/{self._pid}/task").iterdir():
            try:
                status = (task / "status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                # A thread that has just ended.
                return False
            tracers.append("TracerPid:\t0\n" not in status)
        return all(tracers)

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait()


def traced(arguments: list[str], out: Path) -> list[str]:
    """The command that runs another under strace."""
    return ["strace", "-f", "-y", "-q", "-o", str(out), "-e", f"trace={TRACED}", *arguments]


def count(out: Path, place: Place, until_renamed: Path | None = None) -> Counter[str]:
    """Counts by `volume.kind`, such as `live.made`; and `processes`, programs that were started.
    `until_renamed`: no more than up to the call that gave something this name."""
    counts: Counter[str] = Counter()
    for line in _whole_lines(out.read_text(errors="replace").splitlines()):
        found = LINE.match(line)
        if found is None or int(found[3]) < 0:
            continue
        call, arguments = found[1], found[2]
        kind = KINDS.get(call)
        if call in ("open", "openat"):
            kind = "made" if "O_CREAT" in arguments else None
        if kind is None:
            continue
        if kind == "processes":
            counts[kind] += 1
            continue
        volume = _volume(arguments, place)
        if volume:
            counts[f"{volume}.{kind}"] += 1
        if kind == "renamed" and until_renamed and QUOTED.findall(arguments)[-1] == str(until_renamed):
            break
    return counts


def by_kind(counts: Mapping[str, int]) -> dict[str, int]:
    """What was counted of files, of both volumes together."""
    return {kind: sum(counts[f"{volume}.{kind}"] for volume in VOLUMES) for kind in FILE_KINDS}


def _whole_lines(lines: list[str]) -> list[str]:
    """Joins the calls that another thread's line was written into."""
    begun: dict[str, str] = {}
    whole = []
    for line in lines:
        if unfinished := UNFINISHED.match(line):
            begun[unfinished[1]] = f"{unfinished[1]} {unfinished[2]}"
        elif resumed := RESUMED.match(line):
            whole.append(begun.pop(resumed[1], f"{resumed[1]} {resumed[2]}(") + resumed[3])
        else:
            whole.append(line)
    return whole


def _volume(arguments: str, place: Place) -> str | None:
    """The volume that the last path of a call is on: a rename's and a link's new name."""
    names = QUOTED.findall(arguments)
    folders = FOLDER.findall(arguments)
    path = names[-1] if names and names[-1].startswith("/") else folders[-1] if folders else ""
    for volume, root in (("live", place.live_volume), ("state", place.state_volume)):
        if path == str(root) or path.startswith(f"{root}/"):
            return volume
    return None
