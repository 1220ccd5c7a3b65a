"""A panel as static SVG that stretches with the page.

Text and marks keep their size, only the plot area grows: paths live in an inner SVG of 1,000 units
width that is stretched; marks and words stand at percentages. Colours are classes.
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
    Row,
    Rule,
    Text,
    Zone,
    spread_labels,
)

WIDTH = 1000  # of the plot area, in its own units
LAYERS = {Zone: 0, Band: 1, Rule: 2, Line: 3, Bar: 4, Text: 10}  # what lies below what
POINT_LAYERS = {"hollow": 5, "dot": 6, "solid": 7, "mean": 8}  # by kind; the others above
ANCHORS = {"start": "", "middle": " m", "end": " e"}  # classes
LEADER = 3  # pixels a name may be moved before a leader is drawn


def render_svg(panel: Panel, names: dict[str, str]) -> str:
    """The SVG; `names` are the arms' titles."""
    marks = sorted(panel.marks, key=layer)
    margins = f"--t:{panel.top}px;--r:{panel.right}px;--b:{panel.bottom}px;--l:{panel.left}px"
    box = f'viewBox="0 0 {WIDTH} {panel.height}" preserveAspectRatio="none"'
    parts = [
        f'<svg class="plot" height="{panel.height}" style="{margins}" role="img">',
        f"<title>{escape(panel.title)}</title><desc>{escape(panel.finding)}</desc>",
        f'<svg {box} width="100%" height="{panel.height}">',
        *(mark_path(mark, panel) for mark in marks if isinstance(mark, Zone)),
        grid(panel),
        *(mark_path(mark, panel) for mark in marks if not isinstance(mark, Zone)),
        "</svg>",
        axis_words(panel),
        *(unstretched(mark, panel) for mark in marks),
        *(row_name(row, panel, names) for row in panel.rows),
        end_labels(panel),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def layer(mark: Mark) -> int:
    """A mark covers those of lower layers."""
    if isinstance(mark, Points):
        return POINT_LAYERS.get(mark.kind, 9)
    return LAYERS[type(mark)]


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
    """An SVG path of a class."""
    return f'<path class="{css}" d="{d}"/>'


def polyline(panel: Panel, x: tuple[float, ...], y: tuple[float, ...]) -> str:
    """The coordinates of points joined by lines."""
    points = zip(x, y, strict=True)
    return "L".join(f"{x_unit(panel.x, a)} {y_px(panel, b):g}" for a, b in points)


def grid(panel: Panel) -> str:
    """Horizontal grid lines, and the axis at the bottom with its ticks."""
    heights = [y_px(panel, tick.value) for tick in panel.y.ticks] if panel.y.grid else []
    for upper, lower in zip(panel.rows, panel.rows[1:], strict=False):
        heights.append((y_px(panel, upper.y) + y_px(panel, lower.y)) / 2)
    lines = "".join(f"M0 {height:g}H{WIDTH}" for height in heights)
    marks = "".join(f"M{x_unit(panel.x, tick.value)} {panel.height}v4" for tick in panel.x.ticks)
    axis = path("axis", f"M0 {panel.height}H{WIDTH}{marks}")
    return (path("grid", lines) if lines else "") + axis


def mark_path(mark: Mark, panel: Panel) -> str:
    """What a mark draws in the stretched plot area; empty for shapes and words."""
    match mark:
        case Zone():
            low, high = x_unit(panel.x, mark.low), x_unit(panel.x, mark.high)
            return path("zone", f"M{low} 0H{high}V{panel.height}H{low}Z")
        case Rule(vertical=True):
            return path(mark.kind, f"M{x_unit(panel.x, mark.at)} 0V{panel.height}")
        case Rule():
            return path(mark.kind, f"M0 {y_px(panel, mark.at):g}H{WIDTH}")
        case Bar():
            low, high = x_unit(panel.x, mark.low), x_unit(panel.x, mark.high)
            return path(f"{mark.kind} {mark.arm}", f"M{low} {y_px(panel, mark.y):g}H{high}")
        case Line(x=()):
            return ""
        case Line():
            css = f"line {mark.arm}{' thin' if mark.thin else ''}"
            return path(css, "M" + polyline(panel, mark.x, mark.y))
        case Band():
            x, y = (*mark.x, *mark.x[::-1]), (*mark.low, *mark.high[::-1])
            return path(f"band {mark.arm}", f"M{polyline(panel, x, y)}Z")
    return ""


def unstretched(mark: Mark, panel: Panel) -> str:
    """What a mark draws at its own size: shapes and words."""
    match mark:
        case Points():
            return shapes(mark, panel)
        case Text():
            anchor = ANCHORS[mark.anchor]
            css = f"lab {mark.arm} halo{anchor}" if mark.arm else f"t{anchor}"
            x, y = percent(panel.x, mark.x), y_px(panel, mark.y)
            return f'<text class="{css}" x="{x}" y="{y:g}" dy=".35em">{escape(mark.text)}</text>'
        case Rule(vertical=False, label=label) if label:
            y = y_px(panel, mark.at) - 5
            return f'<text class="t" x="0" y="{y:g}" dx="4">{escape(label)}</text>'
        case Rule(label=label) if label:
            return label_above(label, mark.at, panel)
        case Zone(label=label) if label:
            return label_above(label, (mark.low + mark.high) / 2, panel)
    return ""


def label_above(label: str, x: float, panel: Panel) -> str:
    """Words above the plot area."""
    return f'<text class="t m" x="{percent(panel.x, x)}" y="-8">{escape(label)}</text>'


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
    if mark.kind == "cross":
        css, symbol = "bad", "m-x"
    else:
        css, symbol = mark.kind, f"{'mb' if mark.kind == 'mean' else 'm'}-{mark.arm}"
    uses = "".join(f'<use href="#{symbol}" x="{x}" y="{y:g}"/>' for x, y in places)
    return f'<g class="{css} {mark.arm}">{uses}</g>'


def axis_words(panel: Panel) -> str:
    """Tick labels and axis names: y above its axis, x below."""
    x, y, bottom = panel.x, panel.y, panel.height + 17
    parts = []
    if y.ticks:
        labels = "".join(
            f'<text y="{y_px(panel, tick.value):g}">{escape(tick.label)}</text>' for tick in y.ticks
        )
        parts.append(f'<g class="t e" transform="translate(-8 4)">{labels}</g>')
    labels = "".join(
        f'<text x="{percent(x, tick.value)}" y="{bottom}">{escape(tick.label)}</text>'
        for tick in x.ticks
    )
    if x.title:
        labels += f'<text x="50%" y="{bottom + 19}">{escape(x.title)}</text>'
    parts.append(f'<g class="t m">{labels}</g>')
    for words, css, place in zip(x.ends, ("t", "t e"), ("0", "100%"), strict=True):
        if words:
            text = escape(words)
            parts.append(f'<text class="{css}" x="{place}" y="{bottom + 19}">{text}</text>')
    if y.title:
        left = 10 - panel.left
        parts.append(f'<text class="t" x="0" dx="{left}" y="-13">{escape(y.title)}</text>')
    return "".join(parts)


def row_name(row: Row, panel: Panel, names: dict[str, str]) -> str:
    """An arm's shape and title left of its row."""
    arm, y = row.arm, f"{y_px(panel, row.y):g}"
    place = f'y="{y}" transform="translate({8 - panel.left})"'
    return (
        f'<use class="solid {arm}" href="#m-{arm}" {place}/>'
        f'<text class="lab {arm}" x="{19 - panel.left}" y="{y}" dy=".35em">'
        f"{escape(names[arm])}</text>"
    )


def end_labels(panel: Panel) -> str:
    """Names at line ends, pushed apart, with a leader where one had to move."""
    lines = [mark for mark in panel.marks if isinstance(mark, Line) and mark.end]
    if not lines:
        return ""
    wanted = [y_px(panel, line.y[-1]) for line in lines]
    parts = []
    for line, at, place in zip(lines, wanted, spread_labels(wanted), strict=True):
        leader, x = "", 10
        if abs(at - place) > LEADER:
            leader, x = f'<path class="lead" d="M7 {at:g}L14 {place:g}"/>', 17
        label = escape(line.end)
        parts.append(
            f'{leader}<text class="lab {line.arm}" x="{x}" y="{place + 4:g}">{label}</text>'
        )
    return '<svg x="100%" width="1" height="1">' + "".join(parts) + "</svg>"
