"""The panels on tuning and on the loss: score by learning rate, loss against score, what a budget buys."""

import math

from study.drawings import ROW, names_width
from study.panel import Axis, Bar, Line, Mark, Panel, Points, Rule, Zone, decade_ticks, number, padded, short, ticks
from study.plan import Plan
from study.space import Metric
from study.stages import Records
from study.tables import ArmResult, RateCurve, RatePoint, Runs, budget_curves, rank_correlation


def rate_panels(plan: Plan, curves: list[RateCurve], delta: float) -> list[Panel]:
    """Score by learning rate, a panel an arm on shared axes."""
    if not curves:
        return []
    metric = plan.metrics[0]
    scores = [p.score for c in curves for p in c.points if not math.isnan(p.score)]
    low, high = padded(scores)
    x_low = min(p.value for c in curves for p in c.points) / 1.6
    x_high = max(p.value for c in curves for p in c.points) * 1.6
    y = Axis(low, high, ticks(low, high, 5))
    return [rate_panel(plan, curve, Axis(x_low, x_high, decade_ticks(x_low, x_high), log=True), y, metric, delta) for curve in curves]


def rate_panel(plan: Plan, curve: RateCurve, x: Axis, y: Axis, metric: Metric, delta: float) -> Panel:
    """One arm's trials by its learning rate."""
    arm = curve.arm.name
    margin = 10 ** (0.1 * curve.arm.search[curve.name].decades)
    reported = plan.replica.values.get(curve.name)
    tried = [p for p in curve.points if p.kind in ("search", "added")]
    good = [p for p in tried if not math.isnan(p.score)]
    marks: list[Mark] = [Zone(x.low, curve.low * margin), Zone(curve.high / margin, x.high)]
    if reported:
        marks.append(Rule("ref", reported, label=f"{reported:g}"))
    marks.append(Line(arm, tuple(p.value for p in good), tuple(p.score for p in good), thin=True))
    if curve.good[1] > curve.good[0]:
        marks.append(Bar(arm, "ci", *curve.good, y.low + (y.high - y.low) * 0.02))
    beside = [p for p in curve.points if p.kind not in ("search", "added")]
    marks += [rate_marks(curve, kind, kept) for kind, kept in (("hollow", beside), ("solid", good), ("ring", [p for p in tried if p.chosen]))]
    lost = [p.value for p in curve.points if math.isnan(p.score)]
    if lost:
        height = y.low + (y.high - y.low) * 0.1
        marks.append(Points(arm, "cross", tuple(lost), (height,) * len(lost), tuple(f"{curve.name} {short(value)}: diverged" for value in lost)))
    told = rate_words(curve, reported, metric)
    return Panel(f"rate-{arm}", curve.arm.title, told, told, x, y, tuple(marks), 150, right=8, top=26, bottom=28)


def rate_marks(curve: RateCurve, kind: str, points: list[RatePoint]) -> Points:
    """The finished ones of these trials."""
    kept = [p for p in points if not math.isnan(p.score)]
    told = tuple(f"{curve.name} {short(p.value)}: {p.score:.1f} ({p.kind})" for p in kept)
    return Points(curve.arm.name, kind, tuple(p.value for p in kept), tuple(p.score for p in kept), told)


def rate_words(curve: RateCurve, reported: float | None, metric: Metric) -> str:
    """What was chosen, how forgiving the arm is, and what it gives at the reported value."""
    told = [f"chosen {short(curve.chosen)}" if not math.isnan(curve.chosen) else "not chosen yet"]
    alone = curve.good[0] == curve.good[1]
    told.append("only the best within δ" if alone else f"{math.log10(curve.good[1] / curve.good[0]):.1f} decades within δ")
    at = next((p.score for p in curve.points if p.value == reported), None)
    if at is not None and math.isnan(at):
        told.append(f"diverged at {reported:g}")
    elif at is not None:
        told.append(f"{at:.0f} % at {reported:g}" if metric.unit == "points" else f"{at:.2f} at {reported:g}")
    return "; ".join(told)


def loss_panels(plan: Plan, runs: list[Runs]) -> list[Panel]:
    """Final loss against the primary metric: all runs, and the tuned ones with their means."""
    final = [run for run in runs if run.stage == "final"]
    metric = plan.metrics[0]
    panels = []
    for key, title, chosen in (("loss-all", "All {n} runs", runs), ("loss-tuned", "The {n} tuned runs", final)):
        if sum(len(run.loss) for run in chosen) < 3 or (key == "loss-tuned" and len(final) == len(runs)):
            continue
        count, rank = sum(len(run.loss) for run in chosen), rank_correlation(chosen)
        x_low, x_high = padded([v for run in chosen for v in run.loss])
        y_low, y_high = padded([v for run in chosen for v in run.score])
        marks: list[Mark] = []
        for run in chosen:
            told = tuple(f"{run.arm.title}, {run.stage}: loss {a:.2f}, {b:.1f}" for a, b in zip(run.loss, run.score, strict=True))
            marks.append(Points(run.arm.name, "dot" if run.stage == "final" else "hollow", run.loss, run.score, told))
            if key == "loss-tuned":
                mean = (sum(run.loss) / len(run.loss),), (sum(run.score) / len(run.score),)
                marks.append(Points(run.arm.name, "mean", *mean, (f"{run.arm.title}, mean",)))
                marks.append(Line(run.arm.name, (mean[0][0], x_high), (mean[1][0],) * 2, thin=True, end=run.arm.title))
        correlation = f"rank correlation {number(rank, 2)}" if not math.isnan(rank) else "too few runs for a rank correlation"
        note = (
            f"large marks: means, their level drawn out to the name; {correlation}"
            if key == "loss-tuned"
            else f"solid: tuned; hollow: {plan.replica.shown}; {correlation}"
        )
        unit = "%" if metric.unit == "points" else metric.unit
        panels.append(
            Panel(key, title.format(n=count), note, f"{count} runs, {correlation} of a lower loss with a higher {metric.title}.",
                  Axis(x_low, x_high, ticks(x_low, x_high), "final loss, nats"), Axis(y_low, y_high, ticks(y_low, y_high), f"test {metric.title}, {unit}"), tuple(marks), 320, right=84 if key == "loss-tuned" else 16)
        )  # fmt: skip
    return panels


def budget_panels(plan: Plan, records: Records, results: list[ArmResult]) -> list[Panel]:
    """Expected best after k search trials, and what tuning adds to the default."""
    curves = budget_curves(plan, records)
    if not curves or max(len(curve) for curve in curves.values()) < 2:
        return []
    metric, titles = plan.metrics[0], {arm.name: arm.title for arm in plan.arms}
    unit = "%" if metric.unit == "points" else metric.unit
    low, high = padded([value for curve in curves.values() for value in curve])
    most = max(len(curve) for curve in curves.values())
    lines: list[Mark] = [Line(name, tuple(float(k + 1) for k in range(len(curve))), tuple(curve), end=titles[name]) for name, curve in curves.items()]
    x = Axis(1, most, tuple((float(k), str(k)) for k in range(1, most + 1)), "search trials, k")
    told = "; ".join(f"{titles[name]} {curve[0]:.1f} at one, {curve[-1]:.1f} at {len(curve)} trials" for name, curve in curves.items())
    first = Panel("budget-curve", "Expected best after k trials", f"{most} search trials each, one seed each; no interval", told,
                  x, Axis(low, high, ticks(low, high, 4), f"validation {metric.title}, {unit}"), tuple(lines), 260, right=84)  # fmt: skip
    known = [r for r in sorted(results, key=lambda r: [arm.name for arm in plan.arms].index(r.arm.name)) if not math.isnan(r.best)]
    if not known:
        return [first]
    spots = [v for r in known for v in (r.default, r.best) if not math.isnan(v)]
    low, high = padded(spots, least=0.5)
    height, ties = ROW * len(known), list[Mark]()
    rows = tuple((r.arm.name, ROW * (i + 0.5)) for i, r in enumerate(known))
    for r, (name, y) in zip(known, rows, strict=True):
        if not math.isnan(r.default):
            ties += [Bar(name, "tie", r.default, r.best, y), Points(name, "hollow", (r.default,), (y,))]
        ties.append(Points(name, "solid", (r.best,), (y,)))
    told = "; ".join(f"{r.arm.title} from {number(r.default, 1)} to {number(r.best, 1)}" for r in known if not math.isnan(r.default))
    second = Panel("budget-default", "The library’s default against the best of the search", "hollow: default; solid: best trial; one seed each, no interval", told,
                   Axis(low, high, ticks(low, high, 5), f"validation {metric.title}, {unit}"), Axis(height, 0, (), grid=False), tuple(ties), height, rows, left=names_width(plan, rows), top=26)  # fmt: skip
    return [first, second]
