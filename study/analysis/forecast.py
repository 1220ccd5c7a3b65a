"""The plan in words: stages, arms, trials, cost, and the difference that it can detect."""

import math
from collections import Counter
from typing import Any

from study.analysis.derived_arms import judged
from study.analysis.gates import least_seeds
from study.analysis.statistics import detectable, sign_flip_p
from study.analysis.verdict import ALPHA, delta_of, verdicts
from study.design.plan import Plan, tuned
from study.design.ranges import By, Choice, OneMinus, Span
from study.design.record import Record, final_records
from study.design.stages import Records, expected_trials, standing
from study.text import short


def describe(plan: Plan, records: list[Record], seconds: float, slots: int) -> str:
    """What a run of the plan would do, given the records that its folder already has.

    Args:
        seconds: what one trial takes.
        slots: trials that run at once.
    """
    final = standing(plan, final_records(records))
    expected = expected_trials(plan)
    lines = [
        f"Plan {plan.hash} of {plan.space}, profile {plan.profile}",
        "",
        f"{'stage':10}{'trials':>8}{'done':>8}",
    ]
    for stage, count in expected.items():
        done = sum(record.stage == stage for record in final.values())
        words = (
            "  at most, where a best point lies at an edge"
            if stage == "added"
            else "  defaults and the report's point, outside the budget"
            if stage == "beside"
            else ""
        )
        lines.append(f"{stage:10}{count:8d}{done:8d}{words}")
    wide = max(len(name) for name in (plan.scientific, *(arm.title for arm in plan.arms))) + 2
    lines += [
        "",
        f"{plan.scientific:{wide}}{'search':30}{'trials':>8}{'confirm':>9}{'final seeds':>13}",
    ]
    for arm in plan.running:
        ranges = ", ".join(
            f"{name} {short(span.low)} to {short(span.high)}" for name, span in arm.search.items()
        )
        searched = bool(tuned(plan, arm))
        confirm = f"{plan.sizes.confirm_points} x {plan.sizes.confirm_seeds}" if searched else "–"
        reference = (
            "  (reference)"
            if arm.name == plan.reference
            else ""
            if arm.in_report
            else "  (not in the report)"
        )
        lines.append(
            f"{arm.title:{wide}}{ranges:30}{plan.sizes.search_trials if searched else 0:8d}{confirm:>9}{plan.sizes.final_seeds:13d}{reference}"
        )
    lines += [
        f"{arm.title:{wide}}not run: {plan.absent[arm.name].partition(':')[0]}"
        for arm in plan.arms
        if arm.name in plan.absent
    ]
    if readings := [arm.title for arm in plan.arms if arm.of and not plan.why_absent(arm.name)]:
        lines += ["", f"Read off the same runs: {', '.join(readings)}."]
    if plan.explore:
        lines += [
            "",
            f"{plan.arm(plan.explore.arm).title} is searched adaptively for {' and '.join(name for name, _ in plan.explore.objectives)}:",
        ]
        lines += [f"  {name:15}{span_words(span)}" for name, span in plan.explore.search.items()]
    lines += [
        "",
        f"Arms by name, as --set arms=NAME,NAME takes them: {', '.join(arm.name for arm in plan.arms)}.",
    ]
    lines += [
        "",
        *forecast(plan, records, seconds, slots),
        "Claims:",
        *(f"  {claim.role:10} {claim.words}" for claim in plan.claims),
    ]
    return "\n".join(lines)


def configs_of(plan: Plan) -> list[dict[str, Any]]:
    """What a final trial of each arm is."""
    return [
        {**plan.base, **plan.stages["final"], **arm.values, **arm.default} for arm in plan.running
    ]


def forecast(plan: Plan, records: list[Record], seconds: float, slots: int) -> list[str]:
    """What is left, how long it takes and what difference it can detect; the arguments are those of `describe`."""
    final = standing(plan, final_records(records))
    counts = Counter(record.stage for record in final.values())
    left = sum(
        max(0, count - counts[stage])
        for stage, count in expected_trials(plan).items()
        if stage != "added"
    )
    total, more = left + len(final), expected_trials(plan).get("added", 0) - counts["added"]
    added = f" and up to {more} more at edges" if more > 0 else ""
    each, known = mean_seconds(plan, final)
    if math.isnan(each):
        each, known = seconds, "by a few steps just now, the probe not counted"
    return [
        f"Cost: {left} of {total} trials are left{added}, about {each:.1f} s each ({known}); {slots} at once: about {duration(left * each / slots)}.",
        f"Detectable: {detectable_words(plan, paired_sd(plan, records), delta_of(plan, final, plan.metrics[0]))}",
    ]


def mean_seconds(plan: Plan, records: Records) -> tuple[float, str]:
    """What a trial takes by those that ended, every arm counted once, and what that rests on; NaN where none ended."""
    by_arm: dict[str, list[float]] = {}
    for record in records.values():
        if record.status == "finished":
            by_arm.setdefault(record.arm, []).append(record.seconds)
    if not by_arm:
        return math.nan, ""
    of = (
        ""
        if len(by_arm) == len(plan.running)
        else f", of {len(by_arm)} of {len(plan.running)} arms"
    )
    return sum(sum(spent) / len(spent) for spent in by_arm.values()) / len(
        by_arm
    ), f"as those that ended{of}"


def span_words(span: Span) -> str:
    """What a parameter is searched over."""
    if isinstance(span, Choice):
        return ", ".join(str(value) for value in span.among)
    if isinstance(span, By):
        return "; ".join(
            f"{name}: {short(own.low)} to {short(own.high)}" for name, own in span.spans.items()
        )
    return (
        f"1 − {short(span.high)} to 1 − {short(span.low)}"
        if isinstance(span, OneMinus)
        else f"{short(span.low)} to {short(span.high)}"
    )


def paired_sd(plan: Plan, records: list[Record]) -> float:
    """The primary claim's sd of differences as far as it was measured; NaN before."""
    primary = next(
        (
            verdict
            for verdict in verdicts(plan, judged(plan, records))
            if verdict.claim.role == "primary"
        ),
        None,
    )
    return primary.result.sd if primary else math.nan


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def detectable_words(plan: Plan, sd: float, delta: float) -> str:
    """The difference that the planned seeds can find; `sd` of paired differences and `delta` in the primary metric's unit, sd NaN if not measured."""
    n, family = plan.sizes.final_seeds, max(1, len(plan.family))
    metric = plan.metrics[0]
    if n < 2:
        return (
            "One pair has no interval: no difference can be detected. At least 6 seeds are needed."
        )
    effect = detectable(n, ALPHA / plan.looks)
    least = sign_flip_p([1.0] * n)
    said = [
        f"With {n} pairs a true difference of {effect:.2f} sd (of paired differences) is found with 80 % power by the paired t interval alone; the sign-flip test and a family ask for more."
    ]
    if not math.isnan(sd):
        said.append(
            f"The sd measured so far is {sd:.1f} {metric.unit}: that is {effect * sd:.1f} {metric.unit}; δ is {delta:.1f}."
        )
    alpha = ALPHA / plan.looks
    if n > 1 and least > alpha:
        said.append(
            f"With {n} seeds no claim can be supported: the least possible p is {least:.3f}; {least_seeds(plan, 'final')} are needed."
        )
    elif n > 1 and least * family > alpha:
        said.append(
            f"No claim of the family of {family} can be supported: the least Holm p is {least * family:.3f}."
        )
    return " ".join(said)
