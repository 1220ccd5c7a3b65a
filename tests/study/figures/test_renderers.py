"""One panel, drawn twice: every mark stands at the same place in SVG and in Plotly."""

import json
import math
import re
from dataclasses import dataclass

import pytest

from study.figures.panel import (
    Band,
    Bar,
    Line,
    Panel,
    Points,
    Rule,
    Text,
    Zone,
    arm_rows,
    decade_axis,
    row_axis,
    value_axis,
)
from study.figures.plotly import PlotlyStyle, plotly_figure
from study.figures.svg import render_svg

NAMES = {"red": "Red & <b>", "blue": "Blue"}
STYLE = PlotlyStyle(
    colours={"red": "#ff0000", "blue": "#0000ff"},
    symbols={"red": "circle", "blue": "square"},
    glyphs={"red": "●", "blue": "■"},
    dashes={"red": "solid", "blue": "7px,4px"},
)
MARKS = (
    Zone(0.0, 2.0, "too low"),
    Rule("zero", 5.0),
    Rule("ref", 4.0, vertical=False, label="chance"),
    Line(arm="red", x=(0.0, 10.0), y=(0.0, 8.0), end="Red & <b>"),
    Line(arm="blue", x=(0.0, 10.0), y=(0.0, 8.1), thin=True, end="Blue"),
    Band(arm="red", x=(0.0, 10.0), low=(0.0, 7.0), high=(1.0, 9.0)),
    Bar(arm="blue", kind="ci", low=2.0, high=3.0, y=1.0),
    Points(arm="red", kind="dot", x=(5.0, math.nan), y=(2.0, 3.0), hover=("two", "none")),
    Points(arm="blue", kind="ring", x=(5.0,), y=(2.0,)),
    Points(arm="red", kind="cross", x=(6.0,), y=(2.0,)),
    Points(arm="red", kind="mean", x=(7.0,), y=(2.0,)),
    Text("here", 1.0, 1.0),
)


def panel(marks=MARKS, **fields):
    values = {
        "id": "one",
        "title": "Title <i>",
        "note": "a note",
        "finding": "a & b",
        "x": value_axis(0.0, 10.0, "x"),
        "y": value_axis(0.0, 10.0, "y"),
        "marks": tuple(marks),
        "height": 100,
    }
    return Panel(**{**values, **fields})


@dataclass
class Drawn:
    svg: str
    chart: dict


@pytest.fixture
def drawn():
    return Drawn(render_svg(panel(), NAMES), plotly_figure(panel(), NAMES, STYLE))


def test_words_are_escaped_in_the_svg(drawn):
    assert "<title>Title &lt;i&gt;</title><desc>a &amp; b</desc>" in drawn.svg
    assert "Red &amp; &lt;b&gt;" in drawn.svg


def test_what_is_no_number_is_not_drawn(drawn):
    dots = re.search(r'<g class="dot red">(.*?)</g>', drawn.svg).group(1)
    assert dots == '<use href="#m-red" x="50.0%" y="80"/>'


def test_zones_lie_below_the_grid_and_points_above_the_lines(drawn):
    order = [drawn.svg.index(part) for part in ('"zone"', '"grid"', '"band red"', '"zero"')]
    order += [drawn.svg.index(part) for part in ('"line red"', '"ci blue"', '"dot red"')]
    assert order == sorted(order)


def test_every_trace_names_its_arm_and_part(drawn):
    parts = [(trace["meta"]["arm"], trace["meta"]["part"]) for trace in drawn.chart["data"]]
    lines = [("red", "line"), ("blue", "line"), ("red", "band"), ("blue", "line")]
    points = [("red", "dot"), ("blue", "ring"), ("red", "cross"), ("red", "mean")]
    assert parts == lines + points


def test_shapes_and_words_are_named_so_that_the_page_can_repaint_them(drawn):
    layout = drawn.chart["layout"]
    assert [shape["name"] for shape in layout["shapes"]] == ["zone", "zero", "ref"]
    assert {shape["layer"] for shape in layout["shapes"]} == {"below"}
    words = {note["text"]: note["name"] for note in layout["annotations"]}
    assert words["too low"] == words["chance"] == words["here"] == words["y"] == "words"
    assert words["<b>Blue</b>"] == "blue"


def test_names_at_line_ends_do_not_overlap(drawn):
    ends = re.findall(r'<text class="lab \w+" x="\d+" y="([\d.]+)">', drawn.svg)
    assert abs(float(ends[0]) - float(ends[1])) >= 15
    assert drawn.svg.count('class="lead"') == 2


def test_rows_have_their_names_and_lines_between_them():
    rows = arm_rows(["red", "blue"], 50)
    rowed = panel([Bar(arm="red", kind="ci", low=1, high=2, y=25)], rows=rows, y=row_axis(100))
    assert '<text class="lab blue" x="-25" y="75" dy=".35em">Blue</text>' in render_svg(
        rowed, NAMES
    )
    layout = plotly_figure(rowed, NAMES, STYLE)["layout"]
    assert [note["text"] for note in layout["annotations"]][1:] == ["<b>■ Blue</b>"]
    assert [shape["y0"] for shape in layout["shapes"]] == [50]


def test_on_a_log_axis_annotations_take_the_logarithm_and_shapes_the_value():
    logged = panel([Rule("ref", 0.1, label="here")], x=decade_axis(0.01, 1.0))
    layout = plotly_figure(logged, NAMES, STYLE)["layout"]
    assert layout["shapes"][0]["x0"] == 0.1
    assert layout["annotations"][1]["x"] == pytest.approx(-1)
    assert layout["xaxis"]["range"] == pytest.approx([-2, 0])
    assert "M500 0V100" in render_svg(logged, NAMES)


def test_an_empty_line_draws_nothing():
    assert "line red" not in render_svg(panel([Line(arm="red", x=(), y=())]), NAMES)


def test_the_figure_is_plain_json(drawn):
    assert json.loads(json.dumps(drawn.chart))["layout"]["height"] == 176
