"""The page's figures with their frames: title, subtitle, panels, caption and the table behind each."""

import math
from typing import Any

from study.design.plan import Plan
from study.design.space import Metric
from study.text import number

Section = dict[str, Any]


def frame(
    id: str, title: str, sub: str, caption: str, table: dict[str, Any] | None = None
) -> Section:
    """What every figure has around it."""
    return {"id": id, "title": title, "sub": sub, "caption": caption, "table": table}


def fmt(value: float, places: int) -> str:
    """A number, or a dash where there is none."""
    return "–" if math.isnan(value) else number(value, places)


DIGITS = {"points": 1, "nats": 2}
ROW = 50  # pixels of one arm's row


def digits(metric: Metric) -> int:
    """Decimals that a metric's unit is read with."""
    return DIGITS.get(metric.unit, 2)


def names_width(plan: Plan, rows: tuple[tuple[str, float], ...]) -> int:
    """Pixels of the longest arm's name beside a row, at 12 px."""
    return max(92, 30 + 7 * max(len(plan.arm(name).title) for name, _ in rows))
