"""The panels of the page, drawn twice: as static SVG in their place, and as data for Plotly."""

import base64
import gzip
import json
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import plotly.graph_objects as go
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from study.design.plan import Plan
from study.design.space import Arm
from study.figures.panel import Panel
from study.figures.plotly import plotly_figure
from study.figures.style import plotly_style
from study.figures.svg import render_svg

TITLE_HEIGHT = 40  # pixels above a figure that stands alone


class DrawnPanel(NamedTuple):
    """A panel in its place."""

    svg: Markup
    arm: Arm | None  # of whom the panel is, where it is of one


def draw_panels(plan: Plan, panels: Iterable[Panel]) -> dict[str, DrawnPanel]:
    """Each panel as static SVG, by its id."""
    names = arm_titles(plan)
    arms = {f"rate-{arm.name}": arm for arm in plan.space.arms}
    return {
        # render_svg escapes the words in it
        panel.id: DrawnPanel(Markup(render_svg(panel, names)), arms.get(panel.id))
        for panel in panels
    }


def plotly_json(plan: Plan, panels: Iterable[Panel]) -> Markup:
    """Each panel as Plotly's data and layout, by its id; safe inside a script element."""
    names, style = arm_titles(plan), plotly_style(plan)
    figures = {panel.id: plotly_figure(panel, names, style) for panel in panels}
    text = json.dumps(round_numbers(figures), separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def plotly_chart(plan: Plan, panel: Panel) -> go.Figure:
    """A panel as a figure of Plotly, on white paper."""
    figure = go.Figure(plotly_figure(panel, arm_titles(plan), plotly_style(plan)))
    top = {"margin_t": panel.top + TITLE_HEIGHT, "height": figure.layout.height + TITLE_HEIGHT}
    paper = {"paper_bgcolor": "white", "plot_bgcolor": "white"}
    return figure.update_layout(title=panel.title, **top, **paper)


def arm_titles(plan: Plan) -> dict[str, str]:
    """The arms' titles by name."""
    return {arm.name: arm.title for arm in plan.space.arms}


def round_numbers(value: Any) -> Any:
    """Numbers to six digits; what is not a number becomes null, as JSON wants it."""
    if isinstance(value, dict):
        return {key: round_numbers(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [round_numbers(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if value == value and abs(value) != float("inf") else None
    return value


@cache
def packed_plotly() -> Markup:
    """plotly.js, gzipped and in base64: 2 MB in place of 5; the page's script inflates it."""
    packed = gzip.compress(get_plotlyjs().encode(), 9, mtime=0)
    return Markup(base64.b64encode(packed).decode())
