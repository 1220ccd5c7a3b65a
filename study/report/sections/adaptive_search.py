"""The page's section on an adaptive search: what it found over time, which parameters mattered, and what accuracy costs."""

import math
from typing import Any

from study.design.plan import Plan
from study.design.record import Record
from study.design.space import Explore
from study.design.stages import Records
from study.figures.panel import Axis, Bar, Line, Mark, Panel, Points, Text, padded, ticks
from study.report.section import digits
from study.search.importance import LEAST, importances
from study.text import capital, number, short

ROW = 38  # pixels of a parameter
BEST = 10  # trials in the table


def search(plan: Plan, records: Records) -> dict[str, Any] | None:
    """Figure, panels and table of the adaptive search; None where there is none, or nothing of it has ended."""
    explore = plan.explore
    tried = [r for r in records.values() if explore and (r.stage, r.arm) == ("search", explore.arm)]
    metric = plan.metrics[0]
    finished = [r for r in tried if r.status == "finished"]
    if explore is None or not finished:
        return None
    shares = importances(explore, tried, metric.name, metric.higher_is_better)
    panels = [progress_panel(plan, explore, tried), cost_panel(plan, explore, finished)]
    if shares:
        panels.append(importance_panel(explore, shares))
    best = sorted(finished, key=lambda r: -value(plan, r))[:BEST]
    head = ["Trial", *explore.search, capital(metric.title), "Seconds"]
    rows = [
        [
            r.trial,
            *(short(r.point[name]) for name in explore.search),
            number(value(plan, r), digits(metric)),
            f"{r.seconds:.1f}",
        ]
        for r in best
    ]
    return {
        "figure": {
            "id": "search", "title": title(plan, tried, shares), "sub": subtitle(plan, tried), "caption": caption(explore, shares, len(finished)),
            "table": {"caption": f"The {len(rows)} best trials, {metric.title} on the validation split, one seed", "head": head, "rows": rows},
        },
        "panels": panels,
    }  # fmt: skip


def value(plan: Plan, record: Record) -> float:
    """The primary metric in its unit."""
    metric = plan.metrics[0]
    return record.metric(metric.name) * metric.scale


def title(plan: Plan, tried: list[Record], shares: dict[str, float]) -> str:
    """What the search found."""
    top = max(value(plan, r) for r in tried if r.status == "finished")
    said = f"{len(tried)} trials, the best at {number(top, digits(plan.metrics[0]))} {'%' if plan.metrics[0].unit == 'points' else plan.metrics[0].unit} on one seed"
    if not shares:
        return said
    first, share = next(iter(shares.items()))
    return f"{said}; what decides most is {first}, {100 * share:.0f} % of the importance"


def subtitle(plan: Plan, tried: list[Record]) -> str:
    """How many trials ended how."""
    ended = {
        status: sum(r.status == status for r in tried)
        for status in ("finished", "stopped", "diverged")
    }
    told = f"{ended['finished']} finished, {ended['stopped']} stopped early, {ended['diverged']} diverged"
    return f"{capital(plan.metrics[0].title)} on the validation split, one seed a trial, no interval. {told}."


def caption(explore: Explore, shares: dict[str, float], finished: int) -> str:
    """How the search was made."""
    aims = " and ".join(name.replace("_", " ") for name, _ in explore.objectives)
    said = f"Optuna’s TPE, multivariate and grouped, for {aims}: {len(explore.known)} known point{'' if len(explore.known) == 1 else 's'} first, {explore.random} at random, the rest proposed from what was found. "
    said += "A value of this stage is the best of many and flatters; only the final stage, on fresh seeds, enters a claim. "
    if explore.judge:
        said += f"Runs are stopped early by asynchronous successive halving on {explore.judge.replace('_', ' ')}: about one of {explore.reduction} goes on. "
    if shares:
        return (
            said
            + f"Importance: PED-ANOVA over the {finished} finished trials, best fifth against the rest; it depends on the ranges, and the search did not draw evenly from them."
        )
    return (
        said
        + f"Importance of parameters is not shown: it needs {LEAST} finished trials, and {finished} finished."
    )


def progress_panel(plan: Plan, explore: Explore, tried: list[Record]) -> Panel:
    """Every trial by its number, and the best so far."""
    scores = [value(plan, r) for r in tried]
    best, line = -math.inf, []
    for score in scores:
        best = best if math.isnan(score) else max(best, score)
        line.append(best)
    known = [score for score in scores if not math.isnan(score)]
    low, high = padded(known, least=0.5)
    drawn = [(i + 1, at) for i, at in enumerate(line) if at > -math.inf]
    told = tuple(", ".join(short(v) for v in r.point.values()) for r in tried)
    lost = [i + 1 for i, r in enumerate(tried) if r.status != "finished"]
    marks: list[Mark] = [
        Line(
            explore.arm, tuple(float(i) for i, _ in drawn), tuple(at for _, at in drawn), thin=True
        ),
        Points(
            explore.arm,
            "solid",
            tuple(float(i + 1) for i in range(len(tried))),
            tuple(scores),
            told,
        ),
        Points(
            explore.arm,
            "cross",
            tuple(float(i) for i in lost),
            (low,) * len(lost),
            tuple(tried[i - 1].status for i in lost),
        ),
    ]
    last = max(2, len(tried))
    return Panel(
        "search-progress", "Trial by trial", "line: the best so far; cross: stopped early or diverged", f"the best after {len(tried)} trials is {best:.1f}",
        Axis(0.0, last + 1.0, ticks(0, last, 5), "trial"), Axis(low, high, ticks(low, high), unit_title(plan)), tuple(marks), 240,
    )  # fmt: skip


def cost_panel(plan: Plan, explore: Explore, finished: list[Record]) -> Panel:
    """Accuracy against seconds, and the trials that no other one beats in both."""
    seconds, scores = [r.seconds for r in finished], [value(plan, r) for r in finished]
    front = sorted(
        (s, v)
        for s, v in zip(seconds, scores, strict=True)
        if not any(
            a <= s and b >= v and (a, b) != (s, v) for a, b in zip(seconds, scores, strict=True)
        )
    )
    (left, right), (low, high) = padded(seconds, least=0.1), padded(scores, least=0.5)
    marks: list[Mark] = [
        Line(explore.arm, tuple(s for s, _ in front), tuple(v for _, v in front), thin=True),
        Points(explore.arm, "dot", tuple(seconds), tuple(scores), tuple(r.trial for r in finished)),
        Points(explore.arm, "ring", tuple(s for s, _ in front), tuple(v for _, v in front)),
    ]
    return Panel(
        "search-cost", "What it costs", "ringed: no other trial is both better and faster; seconds are of this machine, with others running",
        f"{len(front)} of {len(finished)} trials are beaten by no other in both", Axis(left, right, ticks(left, right), "seconds a trial"),
        Axis(low, high, ticks(low, high), unit_title(plan)), tuple(marks), 240,
    )  # fmt: skip


def importance_panel(explore: Explore, shares: dict[str, float]) -> Panel:
    """A bar for each parameter's share."""
    top, marks = max(shares.values()), []
    drawn: list[Mark] = []
    for i, (name, share) in enumerate(shares.items()):
        y = ROW * (i + 0.5)
        marks.append(f"{name} {100 * share:.0f} %")
        drawn += [
            Text(f"{name}, {100 * share:.0f} %", 0.0, y - 9),
            Bar(explore.arm, "ci", 0.0, share, y + 8),
        ]
    height = ROW * len(shares)
    axis = Axis(
        0.0, top * 1.05, tuple((at, f"{100 * at:.0f}") for at, _ in ticks(0.0, top, 4)), "share, %"
    )
    return Panel(
        "search-importance",
        "What matters",
        "PED-ANOVA, no interval",
        ", ".join(marks),
        axis,
        Axis(height, 0, (), grid=False),
        tuple(drawn),
        height,
        left=10,
    )


def unit_title(plan: Plan) -> str:
    """The vertical axis's name."""
    metric = plan.metrics[0]
    return f"validation {metric.title}, {'%' if metric.unit == 'points' else metric.unit}"
