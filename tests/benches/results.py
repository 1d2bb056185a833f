"""What was measured: samples by subject, figure, size and tool."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Key:
    """What a sample is a sample of."""

    figure: str
    """Such as `poll.cpu`."""
    size: int
    """Files in the repository."""
    tool: str


@dataclass
class Series:
    """All samples of one figure."""

    unit: str
    samples: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle of them."""
        return statistics.median(self.samples)

    @property
    def p99(self) -> float:
        """The 99th percentile, by nearest rank: with few samples the largest."""
        ordered = sorted(self.samples)
        return ordered[max(0, -(-99 * len(ordered) // 100) - 1)]

    def as_json(self) -> dict[str, float | int | str]:
        """For a program to read."""
        return {
            "unit": self.unit,
            "n": len(self.samples),
            "median": self.median,
            "p99": self.p99,
            "min": min(self.samples),
            "max": max(self.samples),
        }


class Results:
    """All series of a run."""

    def __init__(self) -> None:
        self._series: dict[Key, Series] = {}
        self.notes: list[str] = []
        self.broken = False

    def add(self, figure: str, size: int, tool: str, unit: str, value: float) -> None:
        """One more sample."""
        self._series.setdefault(Key(figure, size, tool), Series(unit)).samples.append(value)

    def note(self, text: str) -> None:
        """Something that was not measured, and why."""
        if text not in self.notes:
            self.notes.append(text)

    def fail(self, text: str) -> None:
        """A subject that broke off: told, and the run has failed."""
        self.note(text)
        self.broken = True

    def get(self, figure: str, size: int, tool: str) -> Series | None:
        """The samples of one figure."""
        return self._series.get(Key(figure, size, tool))

    def __iter__(self) -> Iterator[tuple[Key, Series]]:
        return iter(sorted(self._series.items(), key=lambda item: item[0]))
