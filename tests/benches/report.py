"""The table on the terminal, the JSON, and the generated part of docs/benchmarks.md."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from . import plot
from .goals import KCONFIGD, PEERS, ROWS, Row
from .options import SUBJECTS
from .results import Results, Series

FORMAT_VERSION = 1
PICTURE = "benchmarks.svg"
FIGURES = "benchmarks.json"
SAME_MACHINE = ["processor", "memory", "kernel", "filesystem", "git"]
BEGIN, END = "<!-- begin: written by tests/bench -->", "<!-- end: written by tests/bench -->"


@dataclass
class Line:
    """One line of the table, as text."""

    section: str
    title: str
    files: str
    kconfigd: str
    peers: list[str]
    goal: str
    met: bool | None

    def cells(self) -> list[str]:
        """All but the section."""
        told = {None: "", True: "met", False: "**missed**"}[self.met]
        return [self.title, self.files, self.kconfigd, *self.peers, self.goal, told]


def lines(results: Results) -> Iterator[Line]:
    """All rows that were measured, each in all its sizes."""
    sizes = sorted({key.size for key, _ in results})
    for row in ROWS:
        for size in sizes:
            own = results.get(row.figure, size, KCONFIGD)
            if own is not None:
                yield _line(results, row, size, own)


def _line(results: Results, row: Row, size: int, own: Series) -> Line:
    value, limit = row.value(own), row.limit(results, size)
    peers = []
    for name in PEERS:
        series = results.get(row.figure, size, name)
        peers.append(_beside(row.value(series), value, series.unit) if series else "")
    return Line(
        section=row.section,
        title=row.title,
        files=f"{size:,}",
        kconfigd=shown(value, own.unit),
        peers=peers,
        goal="" if limit is None else f"≤ {shown(limit, own.unit)}",
        met=None if limit is None else value <= limit,
    )


def _beside(value: float, own: float, unit: str) -> str:
    """A peer's figure, and how many times ours it is."""
    if own <= 0:
        return shown(value, unit)
    ratio = value / own
    times = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"
    return f"{shown(value, unit)} ({times}×)"


def shown(value: float, unit: str) -> str:
    """A figure as people read it."""
    if unit == "s":
        if abs(value) >= 1:
            return f"{value:.3g} s"
        return f"{value * 1e3:.3g} ms"
    if unit == "×":
        return f"{value:.2f}×"
    if unit == "KiB":
        return f"{value / 1024:.3g} MiB"
    if unit == "bytes":
        return f"{value / 1e6:,.3g} MB" if value >= 1e6 else f"{value:,.0f} bytes"
    return f"{value:,.0f}" if value == int(value) else f"{value:.2g}"


HEADINGS = ["what", "files", "kconfigd", *PEERS, "goal", ""]


def text(results: Results) -> str:
    """The table for a terminal."""
    rows = list(lines(results))
    cells = [HEADINGS, *(line.cells() for line in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    out, section = [_aligned(HEADINGS, widths)], ""
    for line in rows:
        if line.section != section:
            section = line.section
            out += ["", section]
        out.append(_aligned(line.cells(), widths).replace("**", ""))
    goals = [line.met for line in rows if line.met is not None]
    out += ["", f"{goals.count(True)} of {len(goals)} goals met"]
    return "\n".join([*out, *results.notes])


def _aligned(cells: list[str], widths: list[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])


def write_json(
    file: Path, results: Results, about: dict[str, str], measured: dict[str, str]
) -> None:
    """All figures, for programs; `measured` is on which day each subject was."""
    items = [
        {
            "figure": key.figure,
            "files": key.size,
            "tool": key.tool,
            "unit": series.unit,
            **asdict(series.summary()),
        }
        for key, series in results
    ]
    body = {
        "format_version": FORMAT_VERSION,
        "measured": measured,
        "machine": about,
        "notes": results.notes,
        "goals": [
            {"what": f"{line.section}: {line.title}", "files": line.files, "met": line.met}
            for line in lines(results)
            if line.met is not None
        ],
        "items": items,
    }
    file.write_text(json.dumps(body, indent=1) + "\n")


def days(only: list[str]) -> dict[str, str]:
    """These subjects, measured today."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return dict.fromkeys(only, today)


def write_docs(docs: Path, results: Results, about: dict[str, str], only: list[str]) -> None:
    """Replaces the generated part of the page, the plot beside it, and the figures of both. What
    was not measured now stays as it was, as long as it is of the same machine."""
    measured = days(only)
    kept = docs / FIGURES
    earlier = json.loads(kept.read_text()) if kept.exists() else None
    if earlier and _same_machine(earlier["machine"], about):
        results.keep(earlier["items"])
        measured = {**earlier["measured"], **measured}
    write_json(kept, results, about, measured)
    picture = plot.draw(results)
    if picture is not None:
        (docs / PICTURE).write_text(picture)
    page = docs / "benchmarks.md"
    generated = _generated(results, about, measured, picture is not None)
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{generated}{END}{after}")


def _same_machine(one: dict[str, str], other: dict[str, str]) -> bool:
    """Whether figures may stand beside each other."""
    return all(one.get(name) == other.get(name) for name in SAME_MACHINE)


def _generated(
    results: Results, about: dict[str, str], measured: dict[str, str], drawn: bool
) -> str:
    out = []
    for day in sorted(set(measured.values())):
        subjects = ", ".join(name for name in SUBJECTS if measured.get(name) == day)
        out.append(f"Measured on {day}: {subjects}.")
    out += ["", "| machine | |", "| --- | --- |"]
    out += [f"| {name} | {value} |" for name, value in about.items()]
    if drawn:
        out += ["", f"![One file changed: time until it is visible, by files]({PICTURE})"]
    rows = list(lines(results))
    names = [name for name in PEERS if any(line.peers[PEERS.index(name)] for line in rows)]
    wanted = [index for index, name in enumerate(HEADINGS) if name not in PEERS or name in names]
    section = ""
    for line in rows:
        if line.section != section:
            section = line.section
            heads = [HEADINGS[index] for index in wanted]
            out += ["", f"### {section}", "", "| " + " | ".join(heads) + " |"]
            out.append("| --- |" + " ---: |" * (len(wanted) - 1))
        cells = line.cells()
        out.append("| " + " | ".join(cells[index] for index in wanted) + " |")
    goals = [line.met for line in rows if line.met is not None]
    out += ["", f"{goals.count(True)} of {len(goals)} goals met."]
    out += [f"\n{note}." for note in results.notes]
    return "\n".join(out) + "\n"
