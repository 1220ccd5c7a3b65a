"""A figure's panel as data: axes and marks.

Two renderers read it: `svg` for paper and browsers without scripts, `plotly` for the others.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from study.text import format_number, format_short


class Tick(NamedTuple):
    """A labelled value of an axis."""

    value: float
    label: str


class Axis(NamedTuple):
    """A range and its ticks, in data units."""

    low: float
    high: float
    ticks: tuple[Tick, ...] = ()
    title: str = ""
    log: bool = False
    grid: bool = True  # of a vertical axis
    ends: tuple[str, str] = ("", "")  # words at the two ends of a horizontal axis, for a title

    def clip(self, value: float) -> float:
        """The value, or the end of the axis that it lies beyond."""
        return min(max(value, self.low), self.high)

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
    """Marks of an arm's shape.

    kind: dot (one seed), solid, hollow (as reported or untuned), mean, cross (diverged), ring
    (chosen).
    """

    arm: str
    kind: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    hover: tuple[str, ...] = ()  # what Plotly shows when the pointer is on a mark


class Bar(NamedTuple):
    """A horizontal bar from low to high: an interval (kind ci) or a tie of two marks (kind tie)."""

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


class Row(NamedTuple):
    """An arm's row: its name stands left of the axis."""

    arm: str
    y: float  # in data units


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
    rows: tuple[Row, ...] = ()
    left: int = 44  # margins in pixels
    right: int = 16
    top: int = 32
    bottom: int = 44


def value_axis(
    low: float, high: float, title: str = "", *, count: int = 5, signed: bool = False
) -> Axis:
    """A linear axis with about so many round ticks."""
    return Axis(low=low, high=high, ticks=ticks(low, high, count, signed=signed), title=title)


def difference_axis(low: float, high: float, better: str, than: str) -> Axis:
    """A linear axis of differences whose ends say which arm each side favours."""
    ends = (f"← favours {than}", f"favours {better} →")
    return Axis(low=low, high=high, ticks=ticks(low, high, 6, signed=True), ends=ends)


def decade_axis(low: float, high: float, title: str = "") -> Axis:
    """A logarithmic axis with a tick at each power of ten."""
    return Axis(low=low, high=high, ticks=decade_ticks(low, high), title=title, log=True)


def row_axis(height: float) -> Axis:
    """The vertical axis of a panel of rows: pixels from the top."""
    return Axis(low=height, high=0, grid=False)


def arm_rows(arms: Sequence[str], height: float) -> tuple[Row, ...]:
    """A row of that height for each arm, from the top."""
    return tuple(Row(arm, height * (i + 0.5)) for i, arm in enumerate(arms))


def ticks(low: float, high: float, count: int = 5, *, signed: bool = False) -> tuple[Tick, ...]:
    """Round values between two numbers, about so many, with their labels."""
    span = high - low
    step = 10 ** math.floor(math.log10(span / count)) if span > 0 else 1.0
    step = next((step * m for m in (1, 2, 5, 10) if span / (step * m) <= count), step * 10)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [round(k * step, 10) for k in range(first, last + 1)]
    return tuple(Tick(value, format_number(value, digits, signed)) for value in values)


def decade_ticks(low: float, high: float) -> tuple[Tick, ...]:
    """The powers of ten in a range."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return tuple(Tick(10.0**k, format_short(10.0**k)) for k in range(first, last + 1))


def pad_range(
    values: Sequence[float], share: float = 0.08, least: float = 1e-6
) -> tuple[float, float]:
    """A range that holds the values with some room on both sides."""
    low, high = min(values), max(values)
    room = max((high - low) * share, least, 1e-6 * max(abs(low), abs(high)))
    return low - room, high + room


def readable_range(values: Sequence[float], higher_is_better: bool) -> tuple[float, float]:
    """A range for scores of which many may be far worse than the rest, as after divergence.

    It reaches from the best value 50 times as far as the best quarter does; what lies beyond is
    drawn at its end by `Axis.clip`.
    """
    ordered = sorted(values, reverse=higher_is_better)
    best = ordered[0]
    others = [value for value in ordered if value != best]
    quarter = ordered[(len(ordered) - 1) // 4]
    reach = 50 * abs((others[0] if others and quarter == best else quarter) - best)
    return pad_range([value for value in values if abs(value - best) <= reach])


def stack_dots(
    values: Sequence[float], width: float, base: float, step: float, room: float = math.inf
) -> tuple[float, ...]:
    """Heights of dots in pixels from the top; one that would touch another stands above it.

    Args:
        width: of a dot in data units.
        base: height of the lowest.
        step: from one to the next above it; less where the highest would leave the room.
        room: pixels from the lowest to the highest, at most.
    """
    level_of: dict[int, int] = {}
    levels: list[list[float]] = []  # the values at each level, from the lowest
    for i in sorted(range(len(values)), key=lambda i: values[i]):
        free = (k for k, row in enumerate(levels) if all(abs(values[i] - v) >= width for v in row))
        level = next(free, len(levels))
        if level == len(levels):
            levels.append([])
        levels[level].append(values[i])
        level_of[i] = level
    step = min(step, room / max(1, len(levels) - 1))
    return tuple(base - level_of[i] * step for i in range(len(values)))


def spread_labels(wanted: Sequence[float], gap: float = 15.0) -> list[float]:
    """Positions near the wanted ones, in the same order and at least `gap` apart.

    Labels that would overlap are spread around the mean of the positions that they want.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    groups: list[list[float]] = []  # the positions wanted by neighbours that touch
    for i in order:
        groups.append([wanted[i]])
        while len(groups) > 1 and overlap(*groups[-2:], gap=gap):
            last = groups.pop()
            groups[-1] += last
    places = [
        mean(group) + gap * (k - (len(group) - 1) / 2)
        for group in groups
        for k in range(len(group))
    ]
    return [place for _, place in sorted(zip(order, places, strict=True))]


def overlap(first: list[float], second: list[float], *, gap: float) -> bool:
    """Whether two groups of labels, each spread around its mean, come closer than the gap."""
    return mean(second) - mean(first) < gap * (len(first) + len(second)) / 2


def mean(values: list[float]) -> float:
    """The mean."""
    return sum(values) / len(values)
