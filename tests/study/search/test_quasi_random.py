"""An even search's points: a pinned sequence, even in the logarithm."""

import math

from study.design.ranges import LogRange
from study.search.quasi_random import sobol_points


def test_proposals_cover_the_range_and_repeat():
    points = [p["lr"] for p in sobol_points({"lr": LogRange(1e-3, 1.0)}, 8)]
    assert points == [p["lr"] for p in sobol_points({"lr": LogRange(1e-3, 1.0)}, 8)]
    assert points[:5] == [p["lr"] for p in sobol_points({"lr": LogRange(1e-3, 1.0)}, 5)]
    cells = sorted(int((math.log10(lr) + 3) / 3 * 8) for lr in points)
    assert cells == list(range(8)), "eight Sobol points fall one into each eighth"


def test_without_parameters_there_is_one_empty_point():
    assert sobol_points({}, 8) == [{}]
