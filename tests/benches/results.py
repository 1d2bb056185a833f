"""What was measured: samples by subject, figure, size and tool."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, order=True)
class Key:
    """What a sample is a sample of."""

    figure: str
    """Such as `poll.cpu`."""
    size: int
    """Files in the repository."""
    tool: str


@dataclass(frozen=True)
class Summary:
    """What is told of some samples."""

    n: int
    median: float
    p99: float
    min: float
    max: float


@dataclass
class Series:
    """All samples of one figure."""

    unit: str
    samples: list[float] = field(default_factory=list)
    earlier: Summary | None = None
    """Of a run before this one, whose samples are gone."""

    @property
    def median(self) -> float:
        """The middle of them."""
        return self.summary().median

    @property
    def p99(self) -> float:
        """The 99th percentile, by nearest rank: with few samples the largest."""
        return self.summary().p99

    def summary(self) -> Summary:
        """What is told of the samples."""
        if self.earlier is not None:
            return self.earlier
        ordered = sorted(self.samples)
        rank = max(0, -(-99 * len(ordered) // 100) - 1)
        return Summary(
            len(ordered), statistics.median(ordered), ordered[rank], ordered[0], ordered[-1]
        )


class Results:
    """All series of a run."""

    def __init__(self) -> None:
        self._series: dict[Key, Series] = {}
        self.notes: list[str] = []
        self.broken = False

    def add(self, figure: str, size: int, tool: str, unit: str, value: float) -> None:
        """One more sample."""
        self._series.setdefault(Key(figure, size, tool), Series(unit)).samples.append(value)

    def add_multiple(self, figure: str, own: str, of: str, size: int, tool: str) -> None:
        """One figure as a multiple of another, by medians, where both were measured."""
        one, other = self.get(own, size, tool), self.get(of, size, tool)
        if one and other:
            self.add(figure, size, tool, "×", one.median / other.median)

    def note(self, text: str) -> None:
        """Something that was not measured, and why."""
        if text not in self.notes:
            self.notes.append(text)

    def fail(self, text: str) -> None:
        """A subject that broke off: told, and the run has failed."""
        self.note(text)
        self.broken = True

    def keep(self, earlier: list[dict[str, Any]]) -> None:
        """Takes over what an earlier run measured and this one did not."""
        for item in earlier:
            key = Key(item["figure"], item["files"], item["tool"])
            told = Summary(**{name: item[name] for name in ("n", "median", "p99", "min", "max")})
            self._series.setdefault(key, Series(item["unit"], earlier=told))

    def get(self, figure: str, size: int, tool: str) -> Series | None:
        """The samples of one figure."""
        return self._series.get(Key(figure, size, tool))

    def __iter__(self) -> Iterator[tuple[Key, Series]]:
        return iter(sorted(self._series.items(), key=lambda item: item[0]))
