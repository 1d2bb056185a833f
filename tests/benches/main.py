"""Builds the program, serves the repositories, measures the subjects one by one, and reports."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from . import change, disk, drift, first, machine, options, poll, push, report, rollback, stream
from .options import Options
from .remote import Remote
from .results import Results
from .run import Run

TOP = Path(__file__).parent.parent.parent

MEASURES: dict[str, Callable[[Run], None]] = {
    "poll": poll.measure,
    "first": first.measure,
    "change": change.measure,
    "push": push.measure,
    "stream": stream.measure,
    "disk": disk.measure,
    "rollback": rollback.measure,
    "drift": drift.measure,
}


def main() -> None:
    """The whole run."""
    asked = options.parse()
    binary = (asked.binary or _build()).resolve()
    parent = asked.folder or TOP / "target"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=parent.resolve()))
    results = Results()
    about = machine.describe(folder, binary)
    try:
        _measure(asked, binary, folder, results)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report.text(results))
    if asked.json:
        report.write_json(asked.json, results, about, report.days(asked.only))
    if asked.write_docs:
        report.write_docs(TOP / "docs", results, about, asked.only)
    sys.exit(1 if results.broken else 0)


def _measure(asked: Options, binary: Path, folder: Path, results: Results) -> None:
    (folder / "repositories").mkdir()
    began = time.monotonic()
    with Remote(folder / "repositories") as remote:
        run = Run(
            binary, asked.git_sync, folder, asked.sizes, asked.rounds, asked.quick, remote, results
        )
        for subject in asked.only:
            try:
                MEASURES[subject](run)
            except (RuntimeError, OSError, http.client.HTTPException) as error:
                traceback.print_exc()
                results.fail(f"{subject}: broke off: {str(error).splitlines()[0]}")
        run.say(f"done in {time.monotonic() - began:.0f} s")


def _build() -> Path:
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=TOP, check=True)
    return TOP / "target" / "release" / "kconfigd"
