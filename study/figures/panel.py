"""A figure's panel as data: axes and marks. Two renderers read it: `study.svg` for paper and browsers without scripts, `study.figures` for Plotly."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from study.text import number, short


class Axis(NamedTuple):
    """A range and its ticks, in data units."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    title: str = ""
    log: bool = False
    grid: bool = True  # of a vertical axis

    def place(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high end."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


class Line(NamedTuple):
    """A line in an arm's colour and dash; `end` is written beside its last point."""

    arm: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    thin: bool = False
    end: str = ""


class Band(NamedTuple):
    """A pointwise interval around a line."""

    arm: str
    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class Points(NamedTuple):
    """Marks of an arm's shape. kind: dot (one seed), solid, hollow (as reported or untuned), mean, cross (diverged), ring (chosen)."""

    arm: str
    kind: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    told: tuple[str, ...] = ()  # what Plotly shows on hovering


class Bar(NamedTuple):
    """A horizontal bar from low to high: an interval (kind ci) or a tie between two marks (kind tie)."""

    arm: str
    kind: str
    low: float
    high: float
    y: float


class Rule(NamedTuple):
    """A straight line across the panel. kind: zero (full) or ref (dotted)."""

    kind: str
    at: float
    vertical: bool = True
    label: str = ""


class Zone(NamedTuple):
    """A grey field over a range of x: outside what may count."""

    low: float
    high: float
    label: str = ""


class Text(NamedTuple):
    """Words at a point; in an arm's colour where it names one. anchor: start, middle or end."""

    text: str
    x: float
    y: float
    anchor: str = "start"
    arm: str = ""


Mark = Line | Band | Points | Bar | Rule | Zone | Text


class Panel(NamedTuple):
    """One plot."""

    id: str
    title: str  # its heading
    note: str  # n and the kind of interval
    finding: str  # what a reader who cannot see it is told
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    height: int  # pixels of the plot area
    rows: tuple[
        tuple[str, float], ...
    ] = ()  # arm and y in data units of each row's name, left of the axis
    left: int = 44  # margins in pixels
    right: int = 16
    top: int = 32
    bottom: int = 44


def ticks(
    low: float, high: float, count: int = 5, signed: bool = False
) -> tuple[tuple[float, str], ...]:
    """Round values between two numbers, about so many, with their labels."""
    span = high - low
    step = 10 ** math.floor(math.log10(span / count)) if span > 0 else 1.0
    step = next((step * m for m in (1, 2, 5, 10) if span / (step * m) <= count), step * 10)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first = math.ceil(low / step - 1e-9)
    values = [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]
    return tuple((value, number(value, digits, signed)) for value in values)


def decade_ticks(low: float, high: float) -> tuple[tuple[float, str], ...]:
    """The powers of ten in a range."""
    return tuple(
        (10.0**k, short(10.0**k))
        for k in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    )


def padded(
    values: Sequence[float], share: float = 0.08, least: float = 1e-6
) -> tuple[float, float]:
    """A range that holds the values with some room."""
    low, high = min(values), max(values)
    room = max((high - low) * share, least, 1e-6 * max(abs(low), abs(high)))
    return low - room, high + room


def stacked(values: Sequence[float], width: float, base: float, step: float) -> tuple[float, ...]:
    """Heights in pixels from the top for dots side by side: one that would touch its neighbour stands above it."""
    heights: dict[int, float] = {}
    placed: list[tuple[float, int]] = []
    for i in sorted(range(len(values)), key=lambda i: values[i]):
        level = 0
        while any(
            level == other_level and abs(values[i] - other) < width for other, other_level in placed
        ):
            level += 1
        placed.append((values[i], level))
        heights[i] = base - level * step
    return tuple(heights[i] for i in range(len(values)))


def spread_labels(wanted: Sequence[float], gap: float = 15.0) -> list[float]:
    """Positions near the wanted ones, at least `gap` apart, in the same order (ends of lines whose names would overlap)."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    groups: list[list[float]] = []  # sum of wanted positions, count
    for i in order:
        groups.append([wanted[i], 1])
        while (
            len(groups) > 1
            and centre(groups[-1]) - centre(groups[-2]) < gap * (groups[-1][1] + groups[-2][1]) / 2
        ):
            last = groups.pop()
            groups[-1] = [groups[-1][0] + last[0], groups[-1][1] + last[1]]
    places = [
        centre(group) + gap * (k - (group[1] - 1) / 2)
        for group in groups
        for k in range(int(group[1]))
    ]
    found = [0.0] * len(wanted)
    for i, place in zip(order, places, strict=True):
        found[i] = place
    return found


def centre(group: list[float]) -> float:
    """The mean wanted position of a group of labels."""
    return group[0] / group[1]
