"""The plan in words: stages, arms, trials, cost, and the difference that it can detect."""

import math

from study.panel import short
from study.plan import Plan
from study.record import Record, final_records
from study.sentences import detectable_words
from study.stages import expected_trials, standing
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
    lines += ["", f"{plan.scientific:12}{'search':30}{'trials':>8}{'confirm':>9}{'final seeds':>13}"]
    for arm in plan.arms:
        ranges = ", ".join(f"{name} {short(span.low)} to {short(span.high)}" for name, span in arm.search.items())
        confirm = f"{plan.sizes.confirm_points} x {plan.sizes.confirm_seeds}"
        reference = "  (reference)" if arm.name == plan.reference else "" if arm.in_report else "  (not in the report)"
        lines.append(f"{arm.title:12}{ranges:30}{plan.sizes.search_trials:8d}{confirm:>9}{plan.sizes.final_seeds:13d}{reference}")
    total = sum(count for stage, count in expected.items() if stage != "added")
    left = max(0, total - sum(record.stage != "added" for record in final.values()))
    lines += [
        "",
        f"Cost: {left} of {total} trials are left, about {seconds:.1f} s each; {slots} at once: about {duration(left * seconds / slots)}.",
        "Claims:",
        *(f"  {claim.role:10} {claim.words}" for claim in plan.claims),
        f"Detectable: {detectable_words(plan, paired_sd(plan, records), delta_of(plan, final, plan.metrics[0]))}",
    ]
    return "\n".join(lines)


def paired_sd(plan: Plan, records: list[Record]) -> float:
    """The primary claim's sd of differences as far as it was measured; NaN before."""
    primary = next((verdict for verdict in verdicts(plan, standing(plan, final_records(records))) if verdict.claim.role == "primary"), None)
    return primary.result.sd if primary else math.nan


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
