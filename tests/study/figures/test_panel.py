"""Axes, ticks and places of marks."""

import itertools

import pytest

from study.figures.panel import (
    Axis,
    Row,
    arm_rows,
    decade_axis,
    pad_range,
    readable_range,
    spread_labels,
    stack_dots,
    ticks,
    value_axis,
)


def test_labels_are_pushed_apart_and_keep_their_order():
    places = spread_labels([10, 12, 11, 100])
    assert sorted(range(4), key=lambda i: places[i]) == [0, 2, 1, 3]
    assert all(b - a >= 15 - 1e-9 for a, b in itertools.pairwise(sorted(places)))
    assert places[3] == 100


def test_labels_that_touch_are_spread_around_the_mean_of_where_they_would_be():
    assert spread_labels([10, 12], gap=10) == pytest.approx([6, 16])
    assert spread_labels([]) == []


def test_dots_that_would_touch_stand_above_each_other():
    assert stack_dots([1.0, 1.01, 5.0], width=0.5, base=30, step=10) == (30, 20, 30)
    assert stack_dots([1.0] * 5, width=0.5, base=30, step=10, room=20) == (30, 25, 20, 15, 10)


def test_ticks_are_round_and_a_signed_axis_marks_both_sides_of_zero():
    labels = [tick.label for tick in ticks(-1, 1, 4, signed=True)]
    assert labels == ["−1.0", "−0.5", "0.0", "+0.5", "+1.0"]
    assert [tick.value for tick in ticks(3, 97, 5)] == [20, 40, 60, 80]


def test_a_range_without_width_gets_room_on_both_sides():
    assert pad_range([5.0, 5.0], least=0.5) == (4.5, 5.5)


def test_an_axis_places_its_ends_at_zero_and_one():
    for axis in (value_axis(2.0, 8.0), decade_axis(0.01, 10.0), Axis(low=100, high=0)):
        assert axis.place(axis.low) == 0
        assert axis.place(axis.high) == 1
    assert decade_axis(0.01, 100.0).place(1.0) == pytest.approx(0.5)
    assert [tick.label for tick in decade_axis(0.005, 20.0).ticks] == ["0.01", "0.1", "1", "10"]


def test_rows_have_their_names_in_their_middle():
    assert arm_rows(["red", "blue"], 50) == (Row("red", 25), Row("blue", 75))


@pytest.mark.parametrize(
    ("scores", "higher", "within", "beyond"),
    [
        ([50.0, 52, 54, 10], True, [10, 54], []),
        ([1.0, 2, -1e30, -1e30], True, [1, 2], [-1e30]),
        ([1.0, 1.2, 1.3, 2, *[1e20] * 6], False, [1, 2], [1e20]),
        ([50.0, 50, 50, 40], True, [40, 50], []),
        ([5.0], True, [5], []),
        ([5.0, 5.0], False, [5], []),
        ([-3.0, -2.0, -1.0], False, [-3, -1], []),
    ],
)
def test_scores_far_worse_than_the_rest_do_not_flatten_the_axis(scores, higher, within, beyond):
    axis = value_axis(*readable_range(scores, higher))
    assert all(axis.clip(value) == value for value in within)
    assert all(axis.clip(value) in (axis.low, axis.high) for value in beyond)
