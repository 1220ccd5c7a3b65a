"""What a section of the page is made of: a figure with its frame, panels, and tables."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from study.design.plan import Plan
from study.figures.panel import Axis, Mark, Panel, Row, row_axis
from study.text import format_number

ROW = 50  # pixels of one arm's row
DASH = "–"  # in place of a number that there is not


class Table(NamedTuple):
    """A table of text."""

    caption: str
    head: list[str]
    rows: list[list[str]]


class Figure(NamedTuple):
    """What every figure has around it."""

    id: str
    title: str  # the finding
    sub: str  # n and the kind of interval
    caption: str  # how it was computed
    table: Table | None = None  # the data, folded below the figure


@dataclass(frozen=True)
class Section:
    """One section of the page; those that show more than panels extend it by what they show."""

    figure: Figure
    panels: tuple[Panel, ...] = ()


def fmt(value: float, places: int) -> str:
    """A number, or a dash where there is none."""
    return DASH if math.isnan(value) else format_number(value, places)


def names_width(plan: Plan, rows: tuple[Row, ...]) -> int:
    """Pixels of the longest arm's name beside a row, at 12 px."""
    return max(92, 30 + 7 * max(len(plan.title(row.arm)) for row in rows))


def row_panel(
    plan: Plan,
    rows: tuple[Row, ...],
    *,
    id: str,
    title: str,
    note: str,
    finding: str,
    x: Axis,
    marks: list[Mark],
    right: int = 16,
) -> Panel:
    """A panel of arms below each other, their names on the left."""
    height = ROW * len(rows)
    return Panel(
        id=id,
        title=title,
        note=note,
        finding=finding,
        x=x,
        y=row_axis(height),
        marks=tuple(marks),
        height=height,
        rows=rows,
        left=names_width(plan, rows),
        right=right,
        top=26,
    )
