"""The panels on tuning and on the loss: score by learning rate, loss against score, what a budget buys."""

import math

from study.analysis.summaries import ArmResult, arm_results, budget_curves
from study.design.plan import Plan
from study.design.stages import Records
from study.figures.panel import Axis, Bar, Line, Mark, Panel, Points, padded, ticks
from study.report.section import ROW, Section, digits, frame, names_width
from study.text import number


def budget(plan: Plan, records: Records) -> Section | None:
    """What tuning buys."""
    panels: list[Panel] = budget_panels(plan, records, arm_results(plan, records))
    curves = {name: curve for name, curve in budget_curves(plan, records).items() if curve}
    if not panels:
        return None
    most, metric = min(len(curve) for curve in curves.values()), plan.metrics[0]
    one, last = ([curve[k] for curve in curves.values()] for k in (0, most - 1))
    title = f"With one trial the {plan.scientific}s lie {max(one) - min(one):.1f} {metric.unit} apart; with {most} they lie {max(last) - min(last):.1f} apart"
    sub = f"n = {most} search trials each, one search; no interval."
    caption = (
        f"Expected maximum of k trials drawn without replacement from the {most} (Tang et al. 2020), drawn only to k = {most}. A diverged trial counts as the worst of all. "
        f"The search was done once: its own luck is not measured. Not shown: importance of hyper-parameters, which needs at least 20 trials an arm; this study has {most}."
    )
    rows = [
        [
            str(k + 1),
            *(
                number(curve[k], digits(metric)) if k < len(curve) else "–"
                for curve in curves.values()
            ),
        ]
        for k in range(most)
    ]
    table = {
        "caption": f"Expected best validation {metric.title} after k trials",
        "head": ["k", *(plan.arm(name).title for name in curves)],
        "rows": rows,
    }
    return {"figure": frame("budget", title, sub, caption, table), "panels": panels}


def budget_panels(plan: Plan, records: Records, results: list[ArmResult]) -> list[Panel]:
    """Expected best after k search trials, and what tuning adds to the default."""
    curves = budget_curves(plan, records)
    if not curves or max(len(curve) for curve in curves.values()) < 2:
        return []
    metric, titles = plan.metrics[0], {arm.name: arm.title for arm in plan.arms}
    unit = "%" if metric.unit == "points" else metric.unit
    low, high = padded([value for curve in curves.values() for value in curve])
    most = max(len(curve) for curve in curves.values())
    lines: list[Mark] = [
        Line(name, tuple(float(k + 1) for k in range(len(curve))), tuple(curve), end=titles[name])
        for name, curve in curves.items()
    ]
    x = Axis(1, most, tuple((float(k), str(k)) for k in range(1, most + 1)), "search trials, k")
    told = "; ".join(
        f"{titles[name]} {curve[0]:.1f} at one, {curve[-1]:.1f} at {len(curve)} trials"
        for name, curve in curves.items()
    )
    first = Panel("budget-curve", "Expected best after k trials", f"{most} search trials each, one seed each; no interval", told,
                  x, Axis(low, high, ticks(low, high, 4), f"validation {metric.title}, {unit}"), tuple(lines), 260, right=84)  # fmt: skip
    known = [
        r
        for r in sorted(results, key=lambda r: [arm.name for arm in plan.arms].index(r.arm.name))
        if not math.isnan(r.best)
    ]
    if not known:
        return [first]
    spots = [v for r in known for v in (r.default, r.best) if not math.isnan(v)]
    low, high = padded(spots, least=0.5)
    height, ties = ROW * len(known), list[Mark]()
    rows = tuple((r.arm.name, ROW * (i + 0.5)) for i, r in enumerate(known))
    for r, (name, y) in zip(known, rows, strict=True):
        if not math.isnan(r.default):
            ties += [
                Bar(name, "tie", r.default, r.best, y),
                Points(name, "hollow", (r.default,), (y,)),
            ]
        ties.append(Points(name, "solid", (r.best,), (y,)))
    told = "; ".join(
        f"{r.arm.title} from {number(r.default, 1)} to {number(r.best, 1)}"
        for r in known
        if not math.isnan(r.default)
    )
    second = Panel("budget-default", "The library’s default against the best of the search", "hollow: default; solid: best trial; one seed each, no interval", told,
                   Axis(low, high, ticks(low, high, 5), f"validation {metric.title}, {unit}"), Axis(height, 0, (), grid=False), tuple(ties), height, rows, left=names_width(plan, rows), top=26)  # fmt: skip
    return [first, second]
