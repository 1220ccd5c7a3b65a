"""A panel as a Plotly figure. Colours are written for light paper; the page's script reads the tokens and repaints."""

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
    Rule,
    Text,
    Zone,
    spread_labels,
)

FONT = '-apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, "Liberation Sans", sans-serif'
INK, INK_2, INK_3, PAPER, GRID, SHADE = (
    "#1b1f24",
    "#4d5560",
    "#666e79",
    "#ffffff",
    "#e7e9ec",
    "#f3f4f5",
)


class Look(NamedTuple):
    """How each arm is drawn, the same in every figure; by arm."""

    colours: dict[str, str]
    symbols: dict[str, str]  # Plotly's names of the shapes
    glyphs: dict[str, str]  # the shapes as letters
    dashes: dict[str, str]


def figure(panel: Panel, names: dict[str, str], look: Look) -> dict[str, Any]:
    """Data and layout of a panel as plain values. A trace's `meta` names its arm and part, an annotation's `name` its arm."""
    chart = go.Figure()
    chart.layout.template = None
    for mark in panel.marks:
        add(chart, mark, panel, names, look)
    add_words(chart, panel, names, look)
    chart.update_layout(
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", showlegend=False, dragmode=False, autosize=True, hovermode="closest",
        height=panel.height + panel.top + panel.bottom, font={"family": FONT, "size": 12, "color": INK_2},
        margin={"t": panel.top, "r": panel.right, "b": panel.bottom, "l": panel.left, "pad": 0},
        xaxis=axis(panel.x, horizontal=True), yaxis=axis(panel.y, horizontal=False),
    )  # fmt: skip
    return chart.to_plotly_json()


def axis(values: Axis, horizontal: bool) -> dict[str, Any]:
    """Plotly's axis of a panel's."""
    ends = [place(values, values.low), place(values, values.high)]
    common = {
        "range": ends,
        "tickvals": [value for value, _ in values.ticks],
        "ticktext": [text for _, text in values.ticks],
        "zeroline": False,
        "fixedrange": True,
    }
    if values.log:
        common["type"] = "log"
    if horizontal:
        line = {
            "showgrid": False,
            "showline": True,
            "linecolor": INK_3,
            "tickcolor": INK_3,
            "ticks": "outside",
            "ticklen": 4,
        }
        return {
            **common,
            **line,
            "title": {"text": values.title, "standoff": 6, "font": {"size": 12, "color": INK_2}},
        }
    return {**common, "showgrid": values.grid, "gridcolor": GRID, "showline": False, "ticks": ""}


def place(values: Axis, value: float) -> float:
    """A value as Plotly wants it in ranges and annotations."""
    return log10(value) if values.log else value


def add(chart: go.Figure, mark: Mark, panel: Panel, names: dict[str, str], look: Look) -> None:
    """Adds one mark."""
    if isinstance(mark, Line):
        chart.add_scatter(
            x=mark.x,
            y=mark.y,
            mode="lines",
            meta={"arm": mark.arm, "part": "line"},
            name=names[mark.arm],
            line={
                "width": 1.25 if mark.thin else 2,
                "dash": look.dashes[mark.arm],
                "color": look.colours[mark.arm],
            },
            hovertemplate="%{x:.4g}: %{y:.4g}",
        )
    elif isinstance(mark, Band):
        chart.add_scatter(
            x=[*mark.x, *mark.x[::-1]], y=[*mark.low, *mark.high[::-1]], mode="lines", line={"width": 0}, fill="toself", hoverinfo="skip",
            opacity=0.15, fillcolor=look.colours[mark.arm], meta={"arm": mark.arm, "part": "band"},
        )  # fmt: skip
    elif isinstance(mark, Bar):
        width = 2.5 if mark.kind == "ci" else 1.5
        chart.add_scatter(
            x=[mark.low, mark.high], y=[mark.y, mark.y], mode="lines", name=names[mark.arm], meta={"arm": mark.arm, "part": "line"},
            line={"width": width, "color": look.colours[mark.arm]}, hovertemplate="%{x:.4g}",
        )  # fmt: skip
    elif isinstance(mark, Points):
        add_points(chart, mark, names, look)
    elif isinstance(mark, Rule):
        line = {
            "width": 1,
            "color": INK if mark.kind == "zero" else INK_3,
            "dash": "solid" if mark.kind == "zero" else "2px,3px",
        }
        at = mark.at  # a shape takes data even on a log axis, an annotation its logarithm
        ends = (
            {"x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper"}
            if mark.vertical
            else {"y0": at, "y1": at, "x0": 0, "x1": 1, "xref": "paper"}
        )
        chart.add_shape(type="line", layer="below", line=line, name=mark.kind, **ends)
    elif isinstance(mark, Zone):
        chart.add_shape(
            type="rect",
            layer="below",
            x0=mark.low,
            x1=mark.high,
            y0=0,
            y1=1,
            yref="paper",
            fillcolor=SHADE,
            line={"width": 0},
            name="zone",
        )


def add_points(chart: go.Figure, mark: Points, names: dict[str, str], look: Look) -> None:
    """Marks of one kind."""
    colour = look.colours[mark.arm]
    drawn = {
        "dot": {"size": 9, "color": colour, "opacity": 0.6},
        "solid": {"size": 9, "color": colour},
        "hollow": {"size": 9, "color": PAPER, "line": {"width": 1.5, "color": colour}},
        "mean": {"size": 14, "color": colour, "line": {"width": 1.5, "color": PAPER}},
        "cross": {
            "size": 9,
            "color": colour,
            "symbol": "x-thin",
            "line": {"width": 2, "color": colour},
        },
        "ring": {
            "size": 18,
            "color": "rgba(0,0,0,0)",
            "symbol": "circle",
            "line": {"width": 1.25, "color": INK},
        },
    }[mark.kind]
    chart.add_scatter(
        x=mark.x, y=mark.y, mode="markers", name=names[mark.arm], meta={"arm": mark.arm, "part": mark.kind}, cliponaxis=False,
        marker={"symbol": look.symbols[mark.arm], **drawn}, text=mark.told or None, hovertemplate="%{text}" if mark.told else "%{x:.4g}: %{y:.4g}",
        hoverinfo="skip" if mark.kind == "ring" else None,
    )  # fmt: skip


def add_words(chart: go.Figure, panel: Panel, names: dict[str, str], look: Look) -> None:
    """Axis name, labels of rules, zones and line ends, row names: all as annotations."""

    def word(text: str, arm: str = "", **where: Any) -> None:
        chart.add_annotation(
            text=text if not arm else f"<b>{text}</b>",
            showarrow=False,
            name=arm or "words",
            **where,
        )

    if panel.y.title:
        word(
            panel.y.title,
            x=0,
            xref="paper",
            xanchor="left",
            xshift=-panel.left + 10,
            y=1,
            yref="paper",
            yanchor="bottom",
            yshift=8,
        )
    for mark in panel.marks:
        if isinstance(mark, Rule) and mark.label and mark.vertical:
            word(mark.label, x=place(panel.x, mark.at), y=1, yref="paper", yanchor="bottom")
        elif isinstance(mark, Rule) and mark.label:
            word(
                mark.label,
                x=0,
                xref="paper",
                xanchor="left",
                xshift=2,
                y=place(panel.y, mark.at),
                yanchor="bottom",
            )
        elif isinstance(mark, Zone) and mark.label:
            word(
                mark.label,
                x=place(panel.x, (mark.low + mark.high) / 2),
                y=1,
                yref="paper",
                yanchor="bottom",
            )
        elif isinstance(mark, Text):
            anchor = {"start": "left", "middle": "center", "end": "right"}[mark.anchor]
            word(mark.text, mark.arm, x=place(panel.x, mark.x), y=mark.y, xanchor=anchor)
    lines = [mark for mark in panel.marks if isinstance(mark, Line) and mark.end]
    wanted = [panel.y.place(line.y[-1]) * panel.height for line in lines]
    for line, at, target in zip(lines, wanted, spread_labels(wanted), strict=True):
        word(
            line.end,
            line.arm,
            x=1,
            xref="paper",
            xanchor="left",
            xshift=8,
            y=line.y[-1],
            yshift=target - at,
        )
    for arm, y in panel.rows:
        word(
            f"{look.glyphs[arm]} {names[arm]}",
            arm,
            x=0,
            xref="paper",
            xanchor="left",
            xshift=2 - panel.left,
            y=y,
        )
    for (_, y), (_, below) in zip(panel.rows, panel.rows[1:], strict=False):
        between = {"width": 1, "color": GRID}
        chart.add_shape(
            type="line",
            layer="below",
            line=between,
            name="grid",
            x0=0,
            x1=1,
            xref="paper",
            y0=(y + below) / 2,
            y1=(y + below) / 2,
        )
