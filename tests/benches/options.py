"""The command line."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

SIZES = [40, 10_000, 100_000]
SUBJECTS = ["poll", "first", "change", "push", "stream", "disk", "rollback", "drift"]
ROUNDS = 5


@dataclass
class Options:
    """What was asked for."""

    sizes: list[int]
    only: list[str]
    rounds: int
    quick: bool
    binary: Path | None
    git_sync: Path | None
    folder: Path | None
    json: Path | None
    write_docs: bool


def parse() -> Options:
    """Reads the command line; ends the program when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="tests/bench",
        description="Measures kconfigd against plain git in a shell, and against git-sync when its "
        "program is named in $GIT_SYNC. docs/benchmarks.md says how.",
    )
    add = parser.add_argument
    add("--sizes", type=_sizes, default=SIZES, metavar="N,…", help="files (%(default)s)")
    add("--only", type=_subjects, default=SUBJECTS, metavar="S,…", help=", ".join(SUBJECTS))
    add("--rounds", type=_positive, default=ROUNDS, metavar="N", help="rounds (%(default)s)")
    add("--quick", action="store_true", help="few samples: to see that it works, not for figures")
    add("--binary", type=Path, metavar="FILE", help="a kconfigd that is built already")
    add("--dir", type=Path, metavar="DIR", help="where to work (default: a folder in target/)")
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    add(
        "--write-docs", action="store_true", help="bring docs/benchmarks.md and its plot up to date"
    )
    given = parser.parse_args()
    git_sync = os.environ.get("GIT_SYNC")
    return Options(
        sizes=sorted(set(given.sizes)),
        only=given.only,
        rounds=given.rounds,
        quick=given.quick,
        binary=given.binary,
        git_sync=Path(git_sync).resolve() if git_sync else None,
        folder=given.dir,
        json=given.json,
        write_docs=given.write_docs,
    )


def _sizes(text: str) -> list[int]:
    return [_positive(part) for part in text.split(",")]


def _positive(text: str) -> int:
    number = int(text.replace("_", ""))
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _subjects(text: str) -> list[str]:
    wanted = text.split(",")
    unknown = [name for name in wanted if name not in SUBJECTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]}: known are {', '.join(SUBJECTS)}")
    return [name for name in SUBJECTS if name in wanted]
