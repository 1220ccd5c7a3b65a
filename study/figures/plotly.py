"""A panel as a Plotly figure.

Colours are written for light paper; the page's script reads the tokens and repaints. For that a
trace's `meta` names its arm and part, a shape's `name` its kind and an annotation's `name` its arm.
"""

from html import escape
from math import log10
from typing import Any, NamedTuple

import plotly.graph_objects as go

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

FONT = (
    '-apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, '
    '"Liberation Sans", sans-serif'
)
INK, INK_2, INK_3 = "#1b1f24", "#4d5560", "#666e79"
PAPER, GRID, SHADE = "#ffffff", "#e7e9ec", "#f3f4f5"
CLEAR = "rgba(0,0,0,0)"
LEFT_EDGE: dict[str, Any] = {"x": 0, "xref": "paper", "xanchor": "left"}
TOP_EDGE: dict[str, Any] = {"y": 1, "yref": "paper", "yanchor": "bottom"}
ANCHORS = {"start": "left", "middle": "center", "end": "right"}


class PlotlyStyle(NamedTuple):
    """How each arm is drawn, the same in every figure; by arm."""

    colours: dict[str, str]
    symbols: dict[str, str]  # Plotly's names of the shapes
    glyphs: dict[str, str]  # the shapes as letters
    dashes: dict[str, str]


def plotly_figure(panel: Panel, names: dict[str, str], style: PlotlyStyle) -> dict[str, Any]:
    """Data and layout of a panel as plain values; `names` are the arms' titles."""
    chart = go.Figure()
    chart.layout.template = None
    for mark in panel.marks:
        if trace := mark_trace(mark, panel, names, style):
            chart.add_scatter(**trace)
        if shape := mark_shape(mark):
            chart.add_shape(layer="below", **shape)
    for words in annotations(panel, names, style):
        chart.add_annotation(showarrow=False, **words)
    for line in row_lines(panel):
        chart.add_shape(layer="below", **line)
    chart.update_layout(
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        showlegend=False,
        dragmode=False,
        autosize=True,
        hovermode="closest",
        height=panel.height + panel.top + panel.bottom,
        font={"family": FONT, "size": 12, "color": INK_2},
        margin={"t": panel.top, "r": panel.right, "b": panel.bottom, "l": panel.left, "pad": 0},
        xaxis=horizontal_axis(panel.x),
        yaxis=vertical_axis(panel.y),
    )
    return chart.to_plotly_json()


def common_axis(axis: Axis) -> dict[str, Any]:
    """What both of Plotly's axes take from a panel's."""
    values = {
        "range": [axis_place(axis, axis.low), axis_place(axis, axis.high)],
        "tickvals": [tick.value for tick in axis.ticks],
        "ticktext": [tick.label for tick in axis.ticks],
        "zeroline": False,
        "fixedrange": True,
    }
    return {**values, "type": "log"} if axis.log else values


def horizontal_axis(axis: Axis) -> dict[str, Any]:
    """An axis with its line, ticks and title below."""
    return {
        **common_axis(axis),
        "showgrid": False,
        "showline": True,
        "linecolor": INK_3,
        "tickcolor": INK_3,
        "ticks": "outside",
        "ticklen": 4,
        "title": {"text": axis.title, "standoff": 6, "font": {"size": 12, "color": INK_2}},
    }


def vertical_axis(axis: Axis) -> dict[str, Any]:
    """An axis without a line; its title is an annotation above it."""
    own = {"showgrid": axis.grid, "gridcolor": GRID, "showline": False, "ticks": ""}
    return {**common_axis(axis), **own}


def axis_place(axis: Axis, value: float) -> float:
    """A value as Plotly wants it in ranges and annotations, but not in shapes."""
    return log10(value) if axis.log else value


def mark_trace(
    mark: Mark, panel: Panel, names: dict[str, str], style: PlotlyStyle
) -> dict[str, Any] | None:
    """A mark as a scatter trace; None for those that are shapes or words."""
    match mark:
        case Line():
            return {**line_trace(mark, names, style), "hovertemplate": place_words(panel)}
        case Band():
            return band_trace(mark, style)
        case Bar():
            return bar_trace(mark, names, style)
        case Points():
            return {"hovertemplate": place_words(panel), **points_trace(mark, names, style)}
    return None


def place_words(panel: Panel) -> str:
    """What is shown of a place whose mark has no words of its own: the axes and their values."""
    across = f"{escape(panel.x.title)} %{{x:.4g}}".strip()
    return across if panel.rows else f"{across}, {escape(panel.y.title)} %{{y:.4g}}"


def line_trace(mark: Line, names: dict[str, str], style: PlotlyStyle) -> dict[str, Any]:
    """A line in its arm's dash."""
    width, colour = 1.25 if mark.thin else 2, style.colours[mark.arm]
    return {
        "x": mark.x,
        "y": mark.y,
        "mode": "lines",
        "meta": {"arm": mark.arm, "part": "line"},
        "name": names[mark.arm],
        "line": {"width": width, "dash": style.dashes[mark.arm], "color": colour},
    }


def band_trace(mark: Band, style: PlotlyStyle) -> dict[str, Any]:
    """A filled outline without an edge."""
    return {
        "x": [*mark.x, *mark.x[::-1]],
        "y": [*mark.low, *mark.high[::-1]],
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "hoverinfo": "skip",
        "opacity": 0.15,
        "fillcolor": style.colours[mark.arm],
        "meta": {"arm": mark.arm, "part": "band"},
    }


def bar_trace(mark: Bar, names: dict[str, str], style: PlotlyStyle) -> dict[str, Any]:
    """A horizontal line between two ends."""
    width = 2.5 if mark.kind == "ci" else 1.5
    return {
        "x": [mark.low, mark.high],
        "y": [mark.y, mark.y],
        "mode": "lines",
        "name": names[mark.arm],
        "meta": {"arm": mark.arm, "part": "line"},
        "line": {"width": width, "color": style.colours[mark.arm]},
        "hovertemplate": f"{mark.low:.4g} to {mark.high:.4g}",
    }


def points_trace(mark: Points, names: dict[str, str], style: PlotlyStyle) -> dict[str, Any]:
    """Marks of one kind in their arm's symbol."""
    marker = {
        "symbol": style.symbols[mark.arm],
        **kind_marker(mark.kind, style.colours[mark.arm]),
    }
    return {
        "x": mark.x,
        "y": mark.y,
        "mode": "markers",
        "name": names[mark.arm],
        "meta": {"arm": mark.arm, "part": mark.kind},
        "cliponaxis": False,
        "marker": marker,
        "text": mark.hover or None,
        "hoverinfo": "skip" if mark.kind == "ring" else None,
        **({"hovertemplate": "%{text}<extra></extra>"} if mark.hover else {}),
    }


def kind_marker(kind: str, colour: str) -> dict[str, Any]:
    """Size and colours of a kind of points; a cross and a ring have a symbol of their own."""
    kinds: dict[str, dict[str, Any]] = {
        "dot": {"size": 9, "color": colour, "opacity": 0.6},
        "solid": {"size": 9, "color": colour},
        "hollow": {"size": 9, "color": PAPER, "line": {"width": 1.5, "color": colour}},
        "mean": {"size": 14, "color": colour, "line": {"width": 1.5, "color": PAPER}},
        "cross": {"size": 9, "color": colour, "line": {"width": 2, "color": colour}},
        "ring": {"size": 18, "color": CLEAR, "line": {"width": 1.25, "color": INK}},
    }
    symbols = {"cross": {"symbol": "x-thin"}, "ring": {"symbol": "circle"}}
    return {**kinds[kind], **symbols.get(kind, {})}


def mark_shape(mark: Mark) -> dict[str, Any] | None:
    """A mark as a shape below the traces; None for the others.

    A shape takes data even on a log axis.
    """
    match mark:
        case Rule(kind="zero"):
            return {**rule_ends(mark), "line": {"width": 1, "color": INK, "dash": "solid"}}
        case Rule():
            return {**rule_ends(mark), "line": {"width": 1, "color": INK_3, "dash": "2px,3px"}}
        case Zone():
            ends = {"x0": mark.low, "x1": mark.high, "y0": 0, "y1": 1, "yref": "paper"}
            fill = {"fillcolor": SHADE, "line": {"width": 0}}
            return {"type": "rect", "name": "zone", **ends, **fill}
    return None


def rule_ends(rule: Rule) -> dict[str, Any]:
    """A line across the whole panel."""
    shape = {"type": "line", "name": rule.kind}
    if rule.vertical:
        return {**shape, "x0": rule.at, "x1": rule.at, "y0": 0, "y1": 1, "yref": "paper"}
    return {**shape, "y0": rule.at, "y1": rule.at, "x0": 0, "x1": 1, "xref": "paper"}


def row_lines(panel: Panel) -> list[dict[str, Any]]:
    """Grid lines between rows."""
    middles = [(a.y + b.y) / 2 for a, b in zip(panel.rows, panel.rows[1:], strict=False)]
    line = {"type": "line", "name": "grid", "line": {"width": 1, "color": GRID}}
    across = {"x0": 0, "x1": 1, "xref": "paper"}
    return [{**line, **across, "y0": middle, "y1": middle} for middle in middles]


def annotations(panel: Panel, names: dict[str, str], style: PlotlyStyle) -> list[dict[str, Any]]:
    """All words of a panel but those of its horizontal axis."""
    title = words(panel.y.title, **LEFT_EDGE, **TOP_EDGE, xshift=10 - panel.left, yshift=8)
    labels = [label for mark in panel.marks if (label := mark_label(mark, panel))]
    rows = [row_name(row, panel, names=names, glyphs=style.glyphs) for row in panel.rows]
    own = [*([title] if panel.y.title else []), *axis_ends(panel.x)]
    return [*own, *labels, *end_labels(panel), *rows]


def axis_ends(axis: Axis) -> list[dict[str, Any]]:
    """The words at the two ends of a horizontal axis, where its title would stand."""
    below: dict[str, Any] = {"y": 0, "yref": "paper", "yanchor": "top", "yshift": -24}
    places = (LEFT_EDGE, {"x": 1, "xref": "paper", "xanchor": "right"})
    return [
        words(text, **place, **below) for text, place in zip(axis.ends, places, strict=True) if text
    ]


def words(text: str, arm: str = "", **where: Any) -> dict[str, Any]:
    """An annotation; in bold and in the arm's colour where it names one."""
    return {"text": f"<b>{text}</b>" if arm else text, "name": arm or "words", **where}


def mark_label(mark: Mark, panel: Panel) -> dict[str, Any] | None:
    """The words of a rule, a zone or a text; None where a mark has none."""
    match mark:
        case Rule(vertical=False, label=label) if label:
            y = axis_place(panel.y, mark.at)
            return words(label, **LEFT_EDGE, xshift=2, y=y, yanchor="bottom")
        case Rule(label=label) if label:
            return words(label, **TOP_EDGE, x=axis_place(panel.x, mark.at))
        case Zone(label=label) if label:
            middle = axis_place(panel.x, (mark.low + mark.high) / 2)
            return words(label, **TOP_EDGE, x=middle)
        case Text():
            x, anchor = axis_place(panel.x, mark.x), ANCHORS[mark.anchor]
            return words(mark.text, mark.arm, x=x, y=mark.y, xanchor=anchor)
    return None


def end_labels(panel: Panel) -> list[dict[str, Any]]:
    """Names at line ends, pushed apart."""
    lines = [mark for mark in panel.marks if isinstance(mark, Line) and mark.end]
    wanted = [panel.y.place(line.y[-1]) * panel.height for line in lines]
    right: dict[str, Any] = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 8}
    return [
        words(line.end, line.arm, **right, y=line.y[-1], yshift=place - at)
        for line, at, place in zip(lines, wanted, spread_labels(wanted), strict=True)
    ]


def row_name(
    row: Row, panel: Panel, *, names: dict[str, str], glyphs: dict[str, str]
) -> dict[str, Any]:
    """An arm's shape and title left of its row."""
    text = f"{glyphs[row.arm]} {names[row.arm]}"
    return words(text, row.arm, **LEFT_EDGE, xshift=2 - panel.left, y=row.y)
