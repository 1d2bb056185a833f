"""What the kernel tells of a process: CPU, memory; and what became of one that has ended."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

CPUCLOCK_SCHED = 2
SETTLED_SECONDS = 0.3
"""A process that used no CPU for this long, to speak of, is done with what it was doing."""


def cpu_seconds(pid: int) -> float:
    """CPU that a process used, in all its threads, those that have ended too: the scheduler's clock
    of the process, in nanoseconds (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)


@dataclass
class Memory:
    """KiB, by the names of /proc/PID/status."""

    resident: int
    anonymous: int
    peak: int


def memory(pid: int) -> Memory:
    """The memory of a process now, and at its peak."""
    found = {"VmRSS": 0, "RssAnon": 0, "VmHWM": 0}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in found:
            found[name] = int(value.split()[0])
    return Memory(found["VmRSS"], found["RssAnon"], found["VmHWM"])


def settle(pid: int, limit: float = 120.0) -> float:
    """Waits until a process rests, and gives the CPU that it has used by then."""
    end = time.monotonic() + limit
    used = cpu_seconds(pid)
    io_before = -1
    while time.monotonic() < end:
        time.sleep(SETTLED_SECONDS)
        now, io_now = cpu_seconds(pid), io_calls(pid)
        if now - used < 0.02 * SETTLED_SECONDS and io_now == io_before:
            return now
        used, io_before = now, io_now
    return used


def io_calls(pid: int) -> int:
    """Reads and writes that a process made, as far as the kernel tells."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("syscr", "syscw")))


def own_peak_kib() -> int:
    """The peak memory of the driver."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@dataclass
class Ended:
    """A process that has ended, with all that it had started."""

    wall_seconds: float
    cpu_seconds: float
    peak_kib: int


class Started:
    """A program that was begun, and is awaited with all that it starts."""

    def __init__(self, arguments: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self._log = log
        self._arguments = arguments
        with log.open("ab") as sink:
            self.began = time.perf_counter()
            self._process = subprocess.Popen(arguments, stdout=sink, stderr=sink, env=env)

    def runs(self) -> bool:
        """Whether it has not ended; its end is left for `wait`."""
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def peak_kib(self) -> int:
        """Its peak memory so far, without what it started; 0 when it has just ended."""
        try:
            return memory(self._process.pid).peak
        except (FileNotFoundError, ProcessLookupError):
            return 0

    def wait(self) -> Ended:
        """Its end; a failure is an error with the end of its log."""
        _, status, usage = os.wait4(self._process.pid, 0)
        wall = time.perf_counter() - self.began
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode != 0:
            tail = self._log.read_text(errors="replace")[-2000:]
            what = " ".join(self._arguments[:4])
            raise RuntimeError(f"{what} ended with {self._process.returncode}:\n{tail}")
        return Ended(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def run(arguments: list[str], log: Path, env: dict[str, str] | None = None) -> Ended:
    """Runs a program to its end."""
    return Started(arguments, log, env).wait()
