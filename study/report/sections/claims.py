"""The page's verdict cards and the four ways to ask: what the template needs of each claim."""

import math
from typing import Any, NamedTuple

from study.analysis.gates import Gate
from study.analysis.verdict import Verdict
from study.design.plan import Plan
from study.design.space import Claim, Metric
from study.figures import svg
from study.figures.panel import Axis, Bar, Mark, Panel, Points, Rule, padded, stacked, ticks
from study.report.section import digits
from study.report.wording import (
    four_title,
    interval,
    p_words,
    plural,
    result_note,
    signed,
    titles,
    what_would_change,
)
from study.text import number


class Card(NamedTuple):
    """One claim as the page shows it."""

    claim: Claim
    label: str
    effect: str
    interval: str
    note: str
    svg: str
    gates: tuple[Gate, ...]
    passed: str
    change: str


def cards(plan: Plan, verdicts: list[Verdict]) -> dict[str, list[Card]]:
    """The cards by role."""
    found: dict[str, list[Card]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.claim.role, []).append(card(plan, verdict))
    return found


def card(plan: Plan, verdict: Verdict) -> Card:
    """One card."""
    metric, result = plan.metric(verdict.claim.metric), verdict.result
    effect, bounds = (
        f"{signed(result.mean, metric)} {metric.unit}",
        interval(verdict, metric) if result.n > 1 else "no interval: n = 1 pair",
    )
    if not metric.higher_is_better:
        effect += " of advantage"
    if not result.n:
        effect, bounds = "Not run", "no pair of runs has finished"
    panel = verdict_panel(verdict, metric, tall=verdict.claim.role == "primary")
    count = sum(gate.state == "passed" for gate in verdict.gates)
    passed = (
        f"all {len(verdict.gates)} passed"
        if count == len(verdict.gates)
        else f"{count} of {len(verdict.gates)} passed"
    )
    names = {arm.name: arm.title for arm in plan.arms}
    drawing = svg.draw(panel, names) if panel else ""
    gates = folded(verdict) if verdict.claim.role in ("family", "secondary") else verdict.gates
    return Card(
        verdict.claim,
        verdict.label,
        effect,
        bounds,
        result_note(plan, verdict),
        drawing,
        gates,
        passed,
        what_would_change(plan, verdict),
    )


def folded(verdict: Verdict) -> tuple[Gate, ...]:
    """All gates as one where all passed: what is particular to this claim, the rest as in the primary one."""
    own = [gate.reason for gate in verdict.gates if gate.name in ("Range", "Stability")]
    if any(gate.state != "passed" for gate in verdict.gates):
        return verdict.gates
    return (
        Gate(f"All {len(verdict.gates)} gates", "passed", "; ".join(own) + "; the rest as above"),
    )


def card_groups(plan: Plan, found: dict[str, list[Card]]) -> list[tuple[str, str, list[Card], str]]:
    """Title, note, cards and layout of each group below the primary claim."""
    reference = plan.arm(plan.reference).title
    family = found.get("family", [])
    words = {2: "two", 3: "three", 4: "four", 5: "five"}
    size = (
        f"a family of {words.get(len(plan.family), str(len(plan.family)))} claims"
        if len(plan.family) > 1
        else "one claim that can be tested here"
    )
    all_against = all(card.claim.than == plan.reference for card in family)
    against = (
        f"The other {plural(plan.scientific)} against {reference}"
        if all_against
        else "Further comparisons"
    )
    others = {role for role in ("published", "replica", "secondary") if found.get(role)}
    first = (
        "The same claim as the report put it, and on the loss alone"
        if plan.metrics[1].name == "loss"
        else "The same claim as the report put it, and by other measures"
    )
    pairs = {
        (card.claim.better, card.claim.than)
        for role in ("primary", "secondary")
        for card in found.get(role, [])
    }
    alike = len(pairs) == 1
    tuned = ", each tuned" if any(arm.search for arm in plan.running) else ""
    return [
        (first if others & {"published", "replica"} else "The same claim by another measure" if alike else "Further claims", "", [card for role in ("published", "replica", "secondary") for card in found.get(role, [])], "trio"),
        (f"{against}{tuned}: {size}",
         "" if len(plan.family) < 2 else "Tested together: the interval of each is widened and its p corrected (Holm), so that the whole family errs " + ("in one of twenty." if plan.looks == 1 else f"in {5 / plan.looks:.3g} % at this look."), family, "trio"),
    ]  # fmt: skip


WAYS = (  # role of the claim, title, how it is asked
    ("published", "As reported, 1 seed", "{shown} for both, judged by the {metric}"),
    ("replica", "As reported, {n} seeds", "{shown} for both, judged by the {metric}"),
    ("secondary", "Tuned, on the {metric}", "each at its own rate, {n} seeds"),
    ("primary", "Tuned, on {metric}", "each at its own rate, {n} seeds"),
)


def ways(plan: Plan, verdicts: list[Verdict]) -> dict[str, Any] | None:
    """The same claim tested four ways; None unless the space has such claims about one pair of arms."""
    by_role = {
        verdict.claim.role: verdict for verdict in verdicts if verdict.claim.role != "family"
    }
    chosen = [by_role[role] for role, _, _ in WAYS if role in by_role]
    if (
        len(chosen) < len(WAYS)
        or len({(verdict.claim.better, verdict.claim.than) for verdict in chosen}) > 1
    ):
        return None
    better, than = titles(plan, chosen[-1])
    spans = {
        name: 1.15 * max([extent(v) for v in chosen if v.claim.metric == name])
        for name in {v.claim.metric for v in chosen}
    }
    names = {arm.name: arm.title for arm in plan.arms}
    rows = []
    for i, ((_, title, how), verdict) in enumerate(zip(WAYS, chosen, strict=True)):
        metric, result = plan.metric(verdict.claim.metric), verdict.result
        words = {"shown": plan.replica.shown, "metric": metric.title, "n": result.n}
        bounds = (
            f"{interval(verdict, metric)}, p = {p_words(result.p)}"
            if result.n > 1
            else f"no interval, n = {result.n}"
        )
        last_of_metric = i + 1 == len(chosen) or chosen[i + 1].claim.metric != metric.name
        span = spans[metric.name]
        rows.append(
            {
                "title": title.format(**words), "how": how.format(**words), "label": verdict.label, "bounds": bounds,
                "effect": f"{signed(result.mean, metric)} {metric.unit}" if result.n else "not run",
                "svg": svg.draw(way_panel(verdict, span), names), "axis": axis_svg(span) if last_of_metric else "",
                "unit": f"{metric.unit}{' of loss' if metric.name == 'loss' else ''}, δ = {verdict.delta:.{digits(metric)}f}",
            }
        )  # fmt: skip
    n = max(verdict.result.n for verdict in chosen)
    level = " and ".join(
        f"{100 * value:.3g}" for value in sorted({verdict.result.level for verdict in chosen})
    )
    loss, score = plan.metric(chosen[0].claim.metric), plan.metric(chosen[-1].claim.metric)
    caption = (
        f"Difference on the same seed, turned so that a positive number favours {better}: {than}’s {loss.title} less {better}’s, {better}’s {score.title} less {than}’s. "
        "Dotted: −δ and +δ. The zeros are aligned; the two scales are not comparable."
    )
    figure = {"id": "four", "title": four_title(chosen), "sub": f"{better} against {than}. {level} % paired t intervals, n = {chosen[1].result.n} to {n} pairs; the first row is one pair."
              if chosen[1].result.n != n else f"{better} against {than}. {level} % paired t intervals, n = {n} pairs; the first row is one pair.",
              "caption": caption, "table": pair_table(plan, chosen[1:], better, than)}  # fmt: skip
    return {
        "rows": rows,
        "better": better,
        "than": than,
        "figure": figure,
        "label": f"The claim, {better} beats {than}, tested four ways",
    }


def extent(verdict: Verdict) -> float:
    """How far a row reaches from zero."""
    r = verdict.result
    return max(
        [abs(v) for v in (r.mean, r.low, r.high, verdict.delta) if not math.isnan(v)], default=1.0
    )


def axis_svg(span: float) -> str:
    """The scale below the rows of one unit."""
    marks = ticks(-span, span, 5, signed=True)
    line = "M0 0H1000" + "".join(
        f"M{(value + span) / (2 * span) * 1000:.0f} 0v4" for value, _ in marks
    )
    words = "".join(
        f'<text x="{(value + span) / (2 * span) * 100:.1f}%" y="17">{text}</text>'
        for value, text in marks
    )
    return (
        '<svg class="plot" height="1" style="--t:0px;--r:0px;--b:0px;--l:0px"><svg viewBox="0 0 1000 1" preserveAspectRatio="none" width="100%" height="1">'
        f'<path class="axis" d="{line}"/></svg><g class="t m">{words}</g></svg>'
    )


def pair_table(plan: Plan, chosen: list[Verdict], better: str, than: str) -> dict[str, Any]:
    """The paired differences behind the four ways."""
    count = max((verdict.result.n for verdict in chosen), default=0)
    rows = []
    for i in range(count):
        cells = []
        for verdict in chosen:
            metric, r = plan.metric(verdict.claim.metric), verdict.result
            cells.append(
                f"{number(r.differences[i], digits(metric), True)} (seed {r.seeds[i]})"
                if i < r.n
                else "–"
            )
        rows.append([str(i + 1), *cells])
    head = ["Pair", f"{plan.replica.shown}, loss", "Tuned, loss", "Tuned, accuracy"]
    return {
        "caption": f"{better} against {than} by seed pair; positive favours {better}",
        "head": head,
        "rows": rows,
    }


def verdict_panel(verdict: Verdict, metric: Metric, tall: bool) -> Panel | None:
    """A claim's paired differences: small marks, interval, mean, zero and δ. None without a single pair."""
    result, height = verdict.result, 92 if tall else 62
    if not result.n:
        return None
    known = [
        value
        for value in (*result.differences, result.low, result.high, 0.0, verdict.delta)
        if not math.isnan(value)
    ]
    low, high = padded(known)
    arm, x = verdict.claim.better, Axis(low, high, ticks(low, high, 6, signed=True))
    dots = stacked(result.differences, (high - low) * 0.025, height / 3, 10)
    marks: list[Mark] = [
        Rule("zero", 0.0),
        Rule("ref", verdict.delta, label=f"δ = {verdict.delta:.{digits(metric)}f}"),
    ]
    if result.n > 1:
        marks += [
            Bar(arm, "ci", result.low, result.high, height * 0.68),
            Points(arm, "mean", (result.mean,), (height * 0.68,)),
        ]
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
        marks += [
            Bar(arm, "ci", result.low, result.high, 22),
            Points(arm, "mean", (result.mean,), (22,)),
        ]
    elif result.n:
        marks.append(Points(arm, "hollow", (result.mean,), (22,)))
    told = "Right of zero favours the claim."
    return Panel(
        "",
        verdict.claim.words,
        "",
        told,
        Axis(-span, span, ()),
        Axis(44, 0, (), grid=False),
        tuple(marks),
        44,
        left=0,
        right=0,
        top=0,
        bottom=0,
    )
