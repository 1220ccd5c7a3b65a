"""The plan in words: stages, arms, trials, cost, and the difference that it can detect."""

import math
from collections import Counter
from typing import Any

from study.panel import short
from study.plan import Plan, tuned
from study.readings import judged
from study.record import Record, final_records
from study.sentences import detectable_words
from study.space import By, Choice, OneMinus, Span
from study.stages import Records, expected_trials, standing
from study.verdict import delta_of, verdicts


def describe(plan: Plan, records: list[Record], seconds: float, slots: int) -> str:
    """What a run of the plan would do, given the records that its folder already has.

    Args:
        seconds: what one trial takes.
        slots: trials that run at once.
    """
    final = standing(plan, final_records(records))
    expected = expected_trials(plan)
    lines = [f"Plan {plan.hash} of {plan.space}, profile {plan.profile}", "", f"{'stage':10}{'trials':>8}{'done':>8}"]
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
    lines += ["", f"{plan.scientific:{wide}}{'search':30}{'trials':>8}{'confirm':>9}{'final seeds':>13}"]
    for arm in plan.running:
        ranges = ", ".join(f"{name} {short(span.low)} to {short(span.high)}" for name, span in arm.search.items())
        searched = bool(tuned(plan, arm))
        confirm = f"{plan.sizes.confirm_points} x {plan.sizes.confirm_seeds}" if searched else "–"
        reference = "  (reference)" if arm.name == plan.reference else "" if arm.in_report else "  (not in the report)"
        lines.append(
            f"{arm.title:{wide}}{ranges:30}{plan.sizes.search_trials if searched else 0:8d}{confirm:>9}{plan.sizes.final_seeds:13d}{reference}"
        )
    lines += [f"{arm.title:{wide}}not run: {plan.absent[arm.name].partition(':')[0]}" for arm in plan.arms if arm.name in plan.absent]
    if readings := [arm.title for arm in plan.arms if arm.of and not plan.why_absent(arm.name)]:
        lines += ["", f"Read off the same runs: {', '.join(readings)}."]
    if plan.explore:
        lines += ["", f"{plan.arm(plan.explore.arm).title} is searched adaptively for {' and '.join(name for name, _ in plan.explore.objectives)}:"]
        lines += [f"  {name:15}{span_words(span)}" for name, span in plan.explore.search.items()]
    lines += ["", f"Arms by name, as --set arms=NAME,NAME takes them: {', '.join(arm.name for arm in plan.arms)}."]
    lines += ["", *forecast(plan, records, seconds, slots), "Claims:", *(f"  {claim.role:10} {claim.words}" for claim in plan.claims)]
    return "\n".join(lines)


def configs_of(plan: Plan) -> list[dict[str, Any]]:
    """What a final trial of each arm is."""
    return [{**plan.base, **plan.stages["final"], **arm.values, **arm.default} for arm in plan.running]


def forecast(plan: Plan, records: list[Record], seconds: float, slots: int) -> list[str]:
    """What is left, how long it takes and what difference it can detect; the arguments are those of `describe`."""
    final = standing(plan, final_records(records))
    counts = Counter(record.stage for record in final.values())
    left = sum(max(0, count - counts[stage]) for stage, count in expected_trials(plan).items() if stage != "added")
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
    of = "" if len(by_arm) == len(plan.running) else f", of {len(by_arm)} of {len(plan.running)} arms"
    return sum(sum(spent) / len(spent) for spent in by_arm.values()) / len(by_arm), f"as those that ended{of}"


def span_words(span: Span) -> str:
    """What a parameter is searched over."""
    if isinstance(span, Choice):
        return ", ".join(str(value) for value in span.among)
    if isinstance(span, By):
        return "; ".join(f"{name}: {short(own.low)} to {short(own.high)}" for name, own in span.spans.items())
    return f"1 − {short(span.high)} to 1 − {short(span.low)}" if isinstance(span, OneMinus) else f"{short(span.low)} to {short(span.high)}"


def paired_sd(plan: Plan, records: list[Record]) -> float:
    """The primary claim's sd of differences as far as it was measured; NaN before."""
    primary = next((verdict for verdict in verdicts(plan, judged(plan, records)) if verdict.claim.role == "primary"), None)
    return primary.result.sd if primary else math.nan


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
