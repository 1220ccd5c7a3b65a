"""A panel as a figure of a column's width, drawn by Matplotlib: SVG and PDF without a browser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from study.figures.panel import Axis, Band, Bar, Line, Mark, Panel, Points, Rule, Text, Zone
from study.figures.style import ArmStyle

WIDTH = 3.35  # inches, 85 mm: a column
PIXELS = 110  # of the page, an inch of the figure
SHAPES = {  # by Plotly's name of the shape
    "circle": "o", "square": "s", "triangle-down": "v", "triangle-up": "^", "diamond": "D",
    "cross": "P", "star": "*",
}  # fmt: skip
FONT: Any = {
    "font.size": 7, "axes.linewidth": 0.6, "svg.hashsalt": "moco-study", "pdf.fonttype": 42,
    "svg.fonttype": "path", "font.family": "DejaVu Sans",
}  # fmt: skip
INK, FAINT = "#4d5560", "#f0f1f2"
NO_DATE = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def save_panel(
    panel: Panel,
    styles: dict[str, ArmStyle],
    names: dict[str, str],
    stem: Path,
    kinds: Sequence[str] = ("svg", "pdf"),
    width: float = WIDTH,
) -> None:
    """Write STEM.svg and STEM.pdf; the same panel gives the same bytes.

    Args:
        names: the arms' titles.
        kinds: which of the two.
        width: in inches; that of a column by default.

    Raises:
        OSError: they cannot be written.
    """
    with mpl.rc_context(FONT):
        figure = Figure(figsize=(width, (panel.height + 70) / PIXELS), layout="constrained")
        axes = figure.subplots()
        for mark in panel.marks:
            draw_mark(axes, mark, styles)
        set_axis(axes.xaxis, panel.x)
        set_axis(axes.yaxis, panel.y)
        axes.set_xscale("log" if panel.x.log else "linear")
        axes.set_yscale("log" if panel.y.log else "linear")
        axes.set_xlim(panel.x.low, panel.x.high)
        axes.set_ylim(panel.y.low, panel.y.high)
        axes.minorticks_off()
        set_axis(axes.xaxis, panel.x)
        if panel.rows:
            titles = [names[row.arm] for row in panel.rows]
            axes.set_yticks([row.y for row in panel.rows], titles)
        else:
            set_axis(axes.yaxis, panel.y)
        axes.set_title(panel.title, fontsize=8, loc="left", pad=11)
        axes.spines[["top", "right"]].set_visible(False)
        for kind in kinds:
            file = stem.with_name(f"{stem.name}.{kind}")
            figure.savefig(file, format=kind, metadata=NO_DATE[kind])


def set_axis(axis: Any, given: Axis) -> None:
    """Ticks and title."""
    axis.set_ticks([tick.value for tick in given.ticks], [tick.label for tick in given.ticks])
    axis.set_label_text("   ".join(filter(None, (given.title, *given.ends))))


def draw_mark(axes: Any, mark: Mark, styles: dict[str, ArmStyle]) -> None:
    """Draw a mark."""
    match mark:
        case Line():
            draw_line(axes, mark, styles[mark.arm])
        case Band():
            axes.fill_between(
                mark.x, mark.low, mark.high, color=styles[mark.arm].light, alpha=0.15, linewidth=0
            )
        case Bar():
            width = 1.6 if mark.kind == "ci" else 0.7
            axes.hlines(mark.y, mark.low, mark.high, color=styles[mark.arm].light, linewidth=width)
        case Points():
            draw_points(axes, mark, styles[mark.arm])
        case Rule():
            line = axes.axvline if mark.vertical else axes.axhline
            dash = "solid" if mark.kind == "zero" else "dotted"
            line(mark.at, color=INK, linewidth=0.7, linestyle=dash, zorder=0)
            if mark.label and mark.vertical:
                axes.text(
                    mark.at, 1.0, mark.label, color=INK, fontsize=6, ha="center", va="bottom",
                    transform=axes.get_xaxis_transform(),
                )  # fmt: skip
        case Zone():
            axes.axvspan(mark.low, mark.high, color=FAINT, zorder=-1)
        case Text():
            colour = styles[mark.arm].light_text if mark.arm else INK
            align = {"start": "left", "middle": "center", "end": "right"}[mark.anchor]
            axes.text(mark.x, mark.y, mark.text, color=colour, fontsize=6, ha=align, va="center")


def draw_line(axes: Any, mark: Line, style: ArmStyle) -> None:
    """A line in its arm's dash, with its words beside the last point."""
    pixels = [] if style.dash == "none" else [float(one) / 2 for one in style.dash.split()]
    dash = (0, tuple(pixels)) if pixels else "solid"
    width = 0.7 if mark.thin else 1.3
    axes.plot(mark.x, mark.y, color=style.light, linewidth=width, linestyle=dash)
    if mark.end:
        axes.text(
            mark.x[-1], mark.y[-1], f" {mark.end}", color=style.light_text, fontsize=6, va="center"
        )


def draw_points(axes: Any, mark: Points, style: ArmStyle) -> None:
    """Marks of one kind in their arm's shape."""
    shape = {"cross": "x", "ring": "o"}.get(mark.kind, SHAPES[style.symbol])
    sizes = {"mean": 36, "ring": 60}
    hollow = mark.kind in ("hollow", "ring")
    colours = {"c": style.light} if mark.kind == "cross" else {
        "facecolors": "none" if mark.kind == "ring" else "white" if hollow else style.light,
        "edgecolors": INK if mark.kind == "ring" else style.light if hollow else "white",
    }  # fmt: skip
    axes.scatter(
        mark.x, mark.y, s=sizes.get(mark.kind, 12), marker=shape, linewidths=0.6,
        alpha=0.6 if mark.kind == "dot" else 1.0, zorder=3, clip_on=False, **colours,
    )  # fmt: skip
