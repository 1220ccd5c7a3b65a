"""The panels of the page, each drawn from the rows of one table."""

import math

from study.compare import Paired, t_interval
from study.panel import Axis, Band, Bar, Line, Mark, Panel, Points, Rule, Text, Zone, capital, number, padded, stacked, ticks
from study.plan import Plan
from study.space import Metric
from study.stages import Records
from study.tables import ArmResult, curves_of
from study.verdict import Verdict

DIGITS = {"points": 1, "nats": 2}
LOSS = Metric("loss", "loss", "nats", 1.0, False, 0.1)
ROW = 50  # pixels of one arm's row


def digits(metric: Metric) -> int:
    """Decimals that a metric's unit is read with."""
    return DIGITS.get(metric.unit, 2)


def verdict_panel(verdict: Verdict, metric: Metric, tall: bool) -> Panel | None:
    """A claim's paired differences: small marks, interval, mean, zero and δ. None without a single pair."""
    result, height = verdict.result, 92 if tall else 62
    if not result.n:
        return None
    known = [value for value in (*result.differences, result.low, result.high, 0.0, verdict.delta) if not math.isnan(value)]
    low, high = padded(known)
    arm, x = verdict.claim.better, Axis(low, high, ticks(low, high, 6, signed=True))
    dots = stacked(result.differences, (high - low) * 0.025, height / 3, 10)
    marks: list[Mark] = [Rule("zero", 0.0), Rule("ref", verdict.delta, label=f"δ = {verdict.delta:.{digits(metric)}f}")]
    if result.n > 1:
        marks += [Bar(arm, "ci", result.low, result.high, height * 0.68), Points(arm, "mean", (result.mean,), (height * 0.68,))]
    marks.append(Points(arm, "dot" if result.n > 1 else "hollow", result.differences, dots))
    told = ", ".join(number(value, digits(metric), True) for value in sorted(result.differences))
    return Panel(
        f"claim-{verdict.claim.name}", verdict.claim.words, "", f"Differences, one a seed: {told}. Bar: the interval. Large mark: the mean. Full line: zero. Dotted line: δ.",
        x, Axis(height, 0, (), grid=False), tuple(marks), height, left=8, right=8, top=30, bottom=28,
    )  # fmt: skip


def way_panel(verdict: Verdict, span: float) -> Panel:
    """One row of the four ways: the interval around the mean on a scale of ± span."""
    result, arm = verdict.result, verdict.claim.better
    marks: list[Mark] = [Rule("zero", 0.0), Rule("ref", -verdict.delta), Rule("ref", verdict.delta)]
    if result.n > 1:
        marks += [Bar(arm, "ci", result.low, result.high, 22), Points(arm, "mean", (result.mean,), (22,))]
    elif result.n:
        marks.append(Points(arm, "hollow", (result.mean,), (22,)))
    told = "Right of zero favours the claim."
    return Panel(
        "", verdict.claim.words, "", told, Axis(-span, span, ()), Axis(44, 0, (), grid=False), tuple(marks), 44, left=0, right=0, top=0, bottom=0
    )


def then_panels(plan: Plan, records: Records) -> list[Panel]:
    """Ours with the first seed, and with all of them: the replica's loss by epoch."""
    arms = [arm for arm in plan.arms if arm.in_report]
    if not plan.replica.drawn:
        return []
    metric = drawn_metric(plan)
    curves = {arm.name: curves_of(plan, records, arm.name, "replica", metric.name, metric.scale) for arm in arms}
    curves = {name: found for name, found in curves.items() if found}
    if not curves:
        return []
    first = plan.seeds("replica")[0]
    counts = sorted({len(found) for found in curves.values()})
    count = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    titles = {arm.name: arm.title for arm in arms}
    one, many = epoch_marks(curves, first, titles)
    heights = [
        value
        for mark in (*one, *many)
        for part in ((mark.low, mark.high) if isinstance(mark, Band) else (mark.y,) if isinstance(mark, Line) else ())
        for value in part
    ]
    chance = drawn_chance(plan, metric)
    low, high = padded([*heights, chance] if chance else heights, 0.04)
    last = max(len(curve) for found in curves.values() for curve in found.values())
    x = Axis(1, max(2, last), epoch_ticks(last), "epoch")
    y = Axis(low, high, ticks(low, high, 5), f"{metric.title}, {'%' if metric.unit == 'points' else metric.unit}")
    rule: list[Mark] = [Rule("ref", chance, vertical=False, label="chance")] if chance else []
    shown = plan.replica.shown
    return [
        Panel("then-one", "Ours, first seed", f"seed {first}, {shown} for all; 1 run each, no interval", ends_told(one, titles, metric), x, y, (*rule, *one), 240, right=76),
        Panel("then-all", f"Ours, {count} seeds", f"same setting; mean of {count} seeds, pointwise 95 % t bands", ends_told(many, titles, metric), x, y, (*rule, *many), 240, right=76),
    ]  # fmt: skip


def epoch_marks(curves: dict[str, dict[int, list[float]]], first: int, titles: dict[str, str]) -> tuple[list[Mark], list[Mark]]:
    """Each arm's line over the epochs: of the first seed, and the mean of all seeds with its band."""
    one: list[Mark] = []
    many: list[Mark] = []
    for name, found in curves.items():
        length = min(len(curve) for curve in found.values())
        epochs = tuple(float(k + 1) for k in range(length))
        means = tuple(sum(curve[k] for curve in found.values()) / len(found) for k in range(length))
        if first in found:
            one.append(Line(name, epochs, tuple(found[first][:length]), end=titles[name]))
        if len(found) > 1:
            spans = [t_interval([curve[k] for curve in found.values()]) for k in range(length)]
            many.append(Band(name, epochs, tuple(low for low, _ in spans), tuple(high for _, high in spans)))
        many.append(Line(name, epochs, means, end=titles[name]))
    return one, many


def drawn_metric(plan: Plan) -> Metric:
    """The number by epoch that the report draws: one of the plan's metrics, or the pretraining loss."""
    return next((metric for metric in plan.metrics if metric.name == plan.replica.drawn and metric.name != LOSS.name), LOSS)


def drawn_chance(plan: Plan, metric: Metric) -> float | None:
    """What guessing gives in that number, in its unit; None where that is not known."""
    chance = plan.data.get("chance", {}).get(metric.name)
    return None if chance is None else chance * metric.scale


def ends_told(marks: list[Mark], titles: dict[str, str], metric: Metric) -> str:
    """Where each line ends, in words."""
    ends = [f"{titles[mark.arm]} {mark.y[-1]:.{digits(metric)}f}" for mark in marks if isinstance(mark, Line)]
    return "At the last epoch: " + ", ".join(ends) + f" {'%' if metric.unit == 'points' else metric.unit}."


def epoch_ticks(last: int) -> tuple[tuple[float, str], ...]:
    """The first, the last and a few epochs between."""
    inner = [value for value, _ in ticks(0, last, 5) if 1 < value < last - last / 12]
    return tuple((value, f"{value:.0f}") for value in (1.0, *inner, float(max(2, last))))


def final_panels(plan: Plan, results: list[ArmResult], differences: dict[str, Paired], delta: float) -> list[Panel]:
    """Every seed of every arm with its mean and interval, and the differences from the reference on the same seed."""
    if not results:
        return []
    metric, height = plan.metrics[0], ROW * len(results)
    rows = tuple((result.arm.name, ROW * (i + 0.5)) for i, result in enumerate(results))
    known = [v for r in results for v in (*r.by_seed.values(), r.low, r.high) if not math.isnan(v)]
    low, high = padded(known, least=0.5)
    unit = "%" if metric.unit == "points" else metric.unit
    marks: list[Mark] = []
    for result, (name, y) in zip(results, rows, strict=True):
        marks += seeds_and_mean(name, tuple(result.by_seed.values()), result.mean, result.low, result.high, y, high - low, unit)
    told = "; ".join(f"{r.arm.title} mean {number(r.mean, digits(metric))} {unit}" for r in results)
    level = Panel(
        "final-level", capital(metric.title), "every small mark is one seed; mean with its 95 % t interval", told,
        Axis(low, high, ticks(low, high, 6), f"test {metric.title}, {unit}"), Axis(height, 0, (), grid=False), tuple(marks), height, rows, left=names_width(plan, rows), right=10, top=26,
    )  # fmt: skip
    return [level, difference_panel(plan, rows, differences, delta, height)] if differences else [level]


def difference_panel(plan: Plan, rows: tuple[tuple[str, float], ...], differences: dict[str, Paired], delta: float, height: int) -> Panel:
    """The paired differences of each arm from the reference."""
    metric, reference = plan.metrics[0], plan.arm(plan.reference)
    known = [v for d in differences.values() for v in (*d.differences, d.low, d.high, delta, -delta) if not math.isnan(v)]
    low, high = padded(known)
    marks: list[Mark] = [Zone(-delta, delta, "less than δ"), Rule("zero", 0.0)]
    for name, y in rows:
        if name == reference.name:
            marks.append(Text("the reference", (high - low) * 0.02, y))
        elif (d := differences.get(name)) is not None:
            marks += seeds_and_mean(name, d.differences, d.mean, d.low, d.high, y, high - low, metric.unit)
    levels = sorted({f"{100 * d.level:.3g} %" for d in differences.values()})
    told = "; ".join(
        f"{plan.arm(name).title} {number(d.mean, digits(metric), True)}, {number(d.low, digits(metric), True)} to {number(d.high, digits(metric), True)}"
        for name, d in differences.items()
    )
    return Panel(
        "final-difference", f"Difference from {reference.title}", f"pairs on the same seed; paired t intervals, {' and '.join(levels)}", told + f" {metric.unit}",
        Axis(low, high, ticks(low, high, 6, signed=True), f"{metric.unit} against {reference.title}, same seed"),
        Axis(height, 0, (), grid=False), tuple(marks), height, rows, left=names_width(plan, rows), right=10, top=26,
    )  # fmt: skip


def names_width(plan: Plan, rows: tuple[tuple[str, float], ...]) -> int:
    """Pixels of the longest arm's name beside a row, at 12 px."""
    return max(92, 30 + 7 * max(len(plan.arm(name).title) for name, _ in rows))


def seeds_and_mean(arm: str, values: tuple[float, ...], mean: float, low: float, high: float, y: float, span: float, unit: str) -> list[Mark]:
    """One row: dots above, interval and mean below."""
    told = tuple(f"{value:.4g} {unit}" for value in values)
    marks: list[Mark] = [Points(arm, "dot", values, stacked(values, span * 0.024, y - 5, 7), told)]
    if not math.isnan(low):
        marks.append(Bar(arm, "ci", low, high, y + 12))
    return [*marks, Points(arm, "mean", (mean,), (y + 12,), (f"mean {mean:.4g} {unit}",))]
