"""A panel as static SVG that stretches with the page: text and marks keep their size, only the plot area grows.

Paths live in an inner SVG of 1,000 units width that is stretched; marks and words stand at percentages. Colours are classes.
"""

from html import escape

from study.figures.panel import (
    Axis,
    Band,
    Bar,
    Line,
    Mark,
    Panel,
    Points,
    Rule,
    Text,
    Zone,
    spread_labels,
)

WIDTH = 1000


def draw(panel: Panel, names: dict[str, str]) -> str:
    """The SVG; `names` are the arms' titles."""
    style = f"--t:{panel.top}px;--r:{panel.right}px;--b:{panel.bottom}px;--l:{panel.left}px"
    parts = [
        f'<svg class="plot" height="{panel.height}" style="{style}" role="img">',
        f"<title>{escape(panel.title)}</title><desc>{escape(panel.finding)}</desc>",
        f'<svg viewBox="0 0 {WIDTH} {panel.height}" preserveAspectRatio="none" width="100%" height="{panel.height}">',
        *(
            stretched(mark, panel)
            for mark in sorted(panel.marks, key=depth)
            if isinstance(mark, Zone)
        ),
        grid(panel),
        *(
            stretched(mark, panel)
            for mark in sorted(panel.marks, key=depth)
            if not isinstance(mark, Zone)
        ),
        "</svg>",
        axis_words(panel),
        *(fixed(mark, panel) for mark in sorted(panel.marks, key=depth)),
        *(row_name(arm, y, panel, names) for arm, y in panel.rows),
        end_labels(panel),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def depth(mark: Mark) -> int:
    """What lies below what."""
    if isinstance(mark, Points):
        return {"hollow": 5, "dot": 6, "solid": 7, "mean": 8}.get(mark.kind, 9)
    return {Zone: 0, Band: 1, Rule: 2, Line: 3, Bar: 4}.get(type(mark), 10)


def x_unit(axis: Axis, value: float) -> str:
    """A place along the stretched width."""
    return f"{axis.place(value) * WIDTH:.0f}"


def percent(axis: Axis, value: float) -> str:
    """A place along the width for what is not stretched."""
    return f"{axis.place(value) * 100:.1f}%"


def y_px(panel: Panel, value: float) -> float:
    """Pixels from the top."""
    return round((1 - panel.y.place(value)) * panel.height, 1)


def path(css: str, d: str) -> str:
    return f'<path class="{css}" d="{d}"/>'


def grid(panel: Panel) -> str:
    """Horizontal grid lines, and the axis at the bottom with its ticks."""
    lines = (
        "".join(f"M0 {y_px(panel, value):g}H{WIDTH}" for value, _ in panel.y.ticks)
        if panel.y.grid
        else ""
    )
    lines += "".join(
        f"M0 {(y_px(panel, a[1]) + y_px(panel, b[1])) / 2:g}H{WIDTH}"
        for a, b in zip(panel.rows, panel.rows[1:], strict=False)
    )
    bottom = panel.height
    axis = f"M0 {bottom}H{WIDTH}" + "".join(
        f"M{x_unit(panel.x, value)} {bottom}v4" for value, _ in panel.x.ticks
    )
    return (path("grid", lines) if lines else "") + path("axis", axis)


def stretched(mark: Mark, panel: Panel) -> str:
    """What a mark draws in the stretched plot area."""
    x, height = panel.x, panel.height
    if isinstance(mark, Zone):
        return path(
            "zone",
            f"M{x_unit(x, mark.low)} 0H{x_unit(x, mark.high)}V{height}H{x_unit(x, mark.low)}Z",
        )
    if isinstance(mark, Rule):
        line = (
            f"M{x_unit(x, mark.at)} 0V{height}"
            if mark.vertical
            else f"M0 {y_px(panel, mark.at):g}H{WIDTH}"
        )
        return path(mark.kind, line)
    if isinstance(mark, Bar):
        return path(
            f"{mark.kind} {mark.arm}",
            f"M{x_unit(x, mark.low)} {y_px(panel, mark.y):g}H{x_unit(x, mark.high)}",
        )
    if isinstance(mark, Line):
        points = [f"{x_unit(x, a)} {y_px(panel, b):g}" for a, b in zip(mark.x, mark.y, strict=True)]
        return (
            path(f"line {mark.arm}{' thin' if mark.thin else ''}", "M" + "L".join(points))
            if points
            else ""
        )
    if isinstance(mark, Band):
        there = [
            f"{x_unit(x, a)} {y_px(panel, b):g}" for a, b in zip(mark.x, mark.low, strict=True)
        ]
        back = [
            f"{x_unit(x, a)} {y_px(panel, b):g}"
            for a, b in zip(mark.x[::-1], mark.high[::-1], strict=True)
        ]
        return path(f"band {mark.arm}", "M" + "L".join(there + back) + "Z")
    return ""


def fixed(mark: Mark, panel: Panel) -> str:
    """What a mark draws at its own size: shapes and words."""
    if isinstance(mark, Points):
        return shapes(mark, panel)
    if isinstance(mark, Text):
        anchor = {"start": "", "middle": " m", "end": " e"}[mark.anchor]
        css = f"lab {mark.arm} halo{anchor}" if mark.arm else f"t{anchor}"
        return f'<text class="{css}" x="{percent(panel.x, mark.x)}" y="{y_px(panel, mark.y):g}" dy=".35em">{escape(mark.text)}</text>'
    if isinstance(mark, Rule) and mark.label:
        if mark.vertical:
            return f'<text class="t m" x="{percent(panel.x, mark.at)}" y="-8">{escape(mark.label)}</text>'
        return f'<text class="t" x="0" y="{y_px(panel, mark.at) - 5:g}" dx="4">{escape(mark.label)}</text>'
    if isinstance(mark, Zone) and mark.label:
        return f'<text class="t m" x="{percent(panel.x, (mark.low + mark.high) / 2)}" y="-8">{escape(mark.label)}</text>'
    return ""


def shapes(mark: Points, panel: Panel) -> str:
    """The marks of one kind; a value that is not a number is not drawn."""
    places = [
        (percent(panel.x, x), y_px(panel, y))
        for x, y in zip(mark.x, mark.y, strict=True)
        if x == x and y == y
    ]
    if not places:
        return ""
    if mark.kind == "ring":
        return "".join(f'<circle class="ring" cx="{x}" cy="{y:g}" r="9"/>' for x, y in places)
    css = {"cross": "bad"}.get(mark.kind, mark.kind)
    symbol = "m-x" if mark.kind == "cross" else f"{'mb' if mark.kind == 'mean' else 'm'}-{mark.arm}"
    return (
        f'<g class="{css} {mark.arm}">'
        + "".join(f'<use href="#{symbol}" x="{x}" y="{y:g}"/>' for x, y in places)
        + "</g>"
    )


def axis_words(panel: Panel) -> str:
    """Tick labels and axis names: y above its axis, x below."""
    bottom = panel.height + 17
    parts = []
    if panel.y.ticks:
        parts.append(
            '<g class="t e" transform="translate(-8 4)">'
            + "".join(f'<text y="{y_px(panel, v):g}">{escape(t)}</text>' for v, t in panel.y.ticks)
            + "</g>"
        )
    labels = "".join(
        f'<text x="{percent(panel.x, value)}" y="{bottom}">{escape(text)}</text>'
        for value, text in panel.x.ticks
    )
    if panel.x.title:
        labels += f'<text x="50%" y="{bottom + 19}">{escape(panel.x.title)}</text>'
    parts.append(f'<g class="t m">{labels}</g>')
    if panel.y.title:
        parts.append(
            f'<text class="t" x="0" dx="{-panel.left + 10}" y="-13">{escape(panel.y.title)}</text>'
        )
    return "".join(parts)


def row_name(arm: str, y: float, panel: Panel, names: dict[str, str]) -> str:
    """An arm's shape and title left of its row."""
    at = y_px(panel, y)
    return f'<use class="solid {arm}" href="#m-{arm}" y="{at:g}" transform="translate({8 - panel.left})"/><text class="lab {arm}" x="{19 - panel.left}" y="{at:g}" dy=".35em">{escape(names[arm])}</text>'


def end_labels(panel: Panel) -> str:
    """Names at line ends, pushed apart, with a leader where one had to move."""
    lines = [mark for mark in panel.marks if isinstance(mark, Line) and mark.end]
    if not lines:
        return ""
    wanted = [y_px(panel, line.y[-1]) for line in lines]
    parts = []
    for line, at, place in zip(lines, wanted, spread_labels(wanted), strict=True):
        moved = abs(at - place) > 3
        leader = f'<path class="lead" d="M7 {at:g}L14 {place:g}"/>' if moved else ""
        parts.append(
            f'{leader}<text class="lab {line.arm}" x="{17 if moved else 10}" y="{place + 4:g}">{escape(line.end)}</text>'
        )
    return '<svg x="100%" width="1" height="1">' + "".join(parts) + "</svg>"
