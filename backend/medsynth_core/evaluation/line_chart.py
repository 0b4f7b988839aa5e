"""A small chart of lines with intervals, as SVG that stands in a page: no script, no other file.

Colors are of Okabe and Ito's palette, and each line has a mark of its own besides, so that they are told apart with any color
vision and in print. Places on the x axis are as far apart as each other, whatever their values.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 44
COLORS = ("#7a7f85", "#0072b2", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#e69f00")
MARKS = ("●", "■", "▲", "◆", "▼", "✚", "★")
APART = 7
"""Pixels between the lines at one place, so that their intervals do not cover each other."""


@dataclass(frozen=True)
class Point:
    """A value with its interval, at a place counted from 0."""

    place: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """A named row of points."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Axes:
    """What the places mean, and both titles; the y axis runs from `low` to `high`."""

    places: tuple[str, ...]
    x_title: str
    y_title: str
    low: float
    high: float

    def x(self, place: int, line: int, lines: int) -> float:
        """Return the place of a line's point in pixels."""
        step = (WIDTH - LEFT - RIGHT) / len(self.places)
        return LEFT + step * (place + 0.5) + APART * (line - (lines - 1) / 2)

    def y(self, value: float) -> float:
        """Return a value's height in pixels."""
        return HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def line_chart(lines: Sequence[Line], places: Sequence[str], x_title: str, y_title: str) -> str:
    """Return the chart; points without a number are left out."""
    shown = [Line(line.name, tuple(p for p in line.points if math.isfinite(p.value))) for line in lines]
    values = [v for line in shown for p in line.points for v in (p.low, p.high)] or [0.0, 1.0]
    low, high = math.floor(min(values) / 5) * 5, math.ceil(max(values) / 5) * 5
    axes = Axes(tuple(places), x_title, y_title, low, high if high > low else low + 5)
    drawn = "".join(_line(axes, line, i, len(shown)) for i, line in enumerate(shown))
    keys = "".join(f'<span><b style="color:{_color(i)}">{_mark(i)}</b>{html.escape(n.name)}</span>' for i, n in enumerate(shown))
    label = html.escape(f"{y_title} by {x_title}", quote=True)
    head = f'<svg role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}" style="width:100%;max-width:{WIDTH}px" '
    return f'{head}font-size="12" fill="currentColor">{_grid(axes)}{drawn}</svg><p class="legend">{keys}</p>'


def _line(axes: Axes, line: Line, i: int, lines: int) -> str:
    places = [(axes.x(p.place, i, lines), p) for p in line.points]
    path = " ".join(f"{x:.1f},{axes.y(p.value):.1f}" for x, p in places)
    bars = "".join(f'<path d="M{x:.1f} {axes.y(p.low):.1f}V{axes.y(p.high):.1f}" stroke-width="1.5" />' for x, p in places)
    marks = "".join(
        f'<text x="{x:.1f}" y="{axes.y(p.value) + 4.5:.1f}" text-anchor="middle" fill="{_color(i)}" font-size="14">{_mark(i)}'
        f"<title>{html.escape(line.name)}: {p.value:.1f} ({p.low:.1f} to {p.high:.1f})</title></text>"
        for x, p in places
    )
    stroke = f'<g stroke="{_color(i)}" fill="none"><polyline points="{path}" stroke-width="1.5" opacity="0.55" />{bars}</g>'
    return stroke + marks


def _grid(axes: Axes) -> str:
    step = 5 if axes.high - axes.low <= 40 else 10
    ticks = range(math.ceil(axes.low / step) * step, int(axes.high) + 1, step)
    rules = "".join(
        f'<path d="M{LEFT} {axes.y(v):.1f}H{WIDTH - RIGHT}" stroke="currentColor" opacity="0.15" />'
        f'<text x="{LEFT - 8}" y="{axes.y(v) + 4:.1f}" text-anchor="end">{v}</text>'
        for v in ticks
    )
    names = "".join(
        f'<text x="{axes.x(i, 0, 1):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{html.escape(name)}</text>'
        for i, name in enumerate(axes.places)
    )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    titles = f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{html.escape(axes.x_title)}</text>'
    titles += f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{html.escape(axes.y_title)}</text>'
    return rules + names + titles


def _color(i: int) -> str:
    return COLORS[i % len(COLORS)]


def _mark(i: int) -> str:
    return MARKS[i % len(MARKS)]
