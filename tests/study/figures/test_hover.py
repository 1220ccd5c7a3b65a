"""What the pointer shows on a mark: words of its own, else both axes with their values."""

from study.figures.panel import Axis, Bar, Line, Panel, Points, Row, row_axis
from study.figures.plotly import PlotlyStyle, plotly_figure

STYLE = PlotlyStyle({"a": "#000"}, {"a": "circle"}, {"a": "●"}, {"a": "solid"})


def hovers(panel):
    return [one["hovertemplate"] for one in plotly_figure(panel, {"a": "A"}, STYLE)["data"]]


def test_a_mark_without_words_shows_both_axes_by_their_names():
    marks = (
        Line("a", (1.0, 2.0), (3.0, 4.0)),
        Points("a", "dot", (1.0,), (3.0,)),
        Points("a", "dot", (1.0,), (3.0,), hover=("seed 7",)),
    )
    panel = Panel(
        "p", "P", "", "", Axis(0, 3, title="epoch"), Axis(0, 5, title="loss, nats"), marks, 90
    )
    both = "epoch %{x:.4g}, loss, nats %{y:.4g}"
    assert hovers(panel) == [both, both, "%{text}<extra></extra>"]


def test_in_rows_the_height_is_not_told_and_an_interval_tells_its_ends():
    marks = (Bar("a", "ci", -1.5, 2.25, 25.0), Points("a", "mean", (0.5,), (25.0,)))
    panel = Panel(
        "p", "P", "", "", Axis(-2, 3, title="points"), row_axis(50), marks, 50, (Row("a", 25.0),)
    )
    assert hovers(panel) == ["-1.5 to 2.25", "points %{x:.4g}"]
