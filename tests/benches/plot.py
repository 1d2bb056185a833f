"""The plot of docs/benchmarks.md: what one changed file costs, by the size of the tree."""

from __future__ import annotations

import math

from .results import Results

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 84, 150, 44, 56

FIGURE = "change.one.visible"
COLOURS = {"kconfigd": "#1a9e77", "shell": "#d9730d", "git-sync": "#7a6fd0"}
"""Each is seen on white and on black."""

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #57606a }
  .title { font-weight: 600; font-size: 15px }
  .grid { stroke: #8c959f; stroke-opacity: .3; fill: none }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round }
  @media (prefers-color-scheme: dark) { text { fill: #adb6c0 } }
"""

Points = list[tuple[float, float]]


def draw(results: Results) -> str | None:
    """The picture; `None` when fewer than two sizes were measured."""
    found = {tool: _points(results, tool) for tool in COLOURS}
    series = {tool: points for tool, points in found.items() if len(points) >= 2}
    if not series:
        return None
    every = [point for points in series.values() for point in points]
    across = _Axis(min(x for x, _ in every), max(x for x, _ in every), LEFT, WIDTH - RIGHT)
    up = _Axis(
        10 ** math.floor(math.log10(min(y for _, y in every))),
        10 ** math.ceil(math.log10(max(y for _, y in every))),
        HEIGHT - BOTTOM,
        TOP,
    )
    return "\n".join([*_frame(across, up), *_lines(series, across, up), "</svg>", ""])


def _points(results: Results, tool: str) -> Points:
    """From 100 files on, as far as measured."""
    return [
        (key.size, series.median)
        for key, series in results
        if key.figure == FIGURE and key.tool == tool and key.size >= 100
    ]


class _Axis:
    """A logarithmic axis between two places on the picture."""

    def __init__(self, least: float, most: float, begin: float, end: float) -> None:
        self.least, self.most = math.log10(least), math.log10(max(most, least * 10))
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        share = (math.log10(value) - self.least) / (self.most - self.least)
        return self._begin + share * (self._end - self._begin)

    def decades(self) -> list[float]:
        return [10.0**power for power in range(math.ceil(self.least), math.floor(self.most) + 1)]


def _frame(across: _Axis, up: _Axis) -> list[str]:
    middle = (LEFT + WIDTH - RIGHT) / 2
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>Time from asking the source until one changed file is visible, by files in the "
        "tree, both logarithmic</title>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="24">One file changed: time until it is visible</text>',
        f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">files in the tree</text>',
    ]
    for value in up.decades():
        y = up.at(value)
        out.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        out.append(f'<text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{_time(value)}</text>')
    for value in across.decades():
        x = across.at(value)
        out.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        label = f"{value:,.0f}"
        out.append(f'<text x="{x:.1f}" y="{HEIGHT - 34}" text-anchor="middle">{label}</text>')
    return out


def _lines(series: dict[str, Points], across: _Axis, up: _Axis) -> list[str]:
    out = []
    for tool, points in series.items():
        placed = [(across.at(x), up.at(y)) for x, y in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
        colour = COLOURS[tool]
        out.append(f'<path class="line" stroke="{colour}" d="M{path}"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in placed]
        x, y = placed[-1]
        label = f"{tool}, {_time(points[-1][1])}"
        out.append(f'<text x="{x + 12:.1f}" y="{y + 4:.1f}" style="fill:{colour}">{label}</text>')
    return out


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"
