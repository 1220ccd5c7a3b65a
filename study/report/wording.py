"""Numbers and verdicts as words, shared by the sections of the page."""

import math

from study.analysis.gates.gate import Cause, Gate
from study.analysis.results import Results
from study.analysis.statistics import ArmDifference
from study.analysis.verdict import Verdict
from study.design.plan import Plan
from study.design.space import Metric
from study.text import format_number, join_words, plural

RANKS = {  # by label: where an arm stands against the reference, as a verb for one and for many
    "supported": ("ends {good}", "end {good}"),
    "small": ("ends slightly {good}", "end slightly {good}"),
    "contradicted": ("ends {bad}", "end {bad}"),
    "equivalent": ("is level with", "are level with"),
    "nogain": ("has no relevant gain over", "have no relevant gain over"),
    "undecided": ("is undecided against", "are undecided against"),
    "untestable": ("is not testable against", "are not testable against"),
}


def rank_words(label: str, metric: Metric, count: int = 1) -> str:
    """Where so many arms stand against another one, as a verb: "ends above"."""
    words = RANKS[label][count > 1]
    return words.format(good=metric.better_side, bad=metric.worse_side)


def format_signed(value: float, metric: Metric) -> str:
    """A difference with its sign, in the metric's decimals."""
    return format_number(value, metric.decimals, True)


def format_level(value: float, metric: Metric) -> str:
    """A value with its unit."""
    return f"{format_number(value, metric.decimals)} {metric.level_unit}"


def format_size(value: float, metric: Metric) -> str:
    """A difference without its sign, with its unit."""
    return f"{format_number(abs(value), metric.decimals)} {metric.unit}"


def format_ends(low: float, high: float, metric: Metric, *, signed: bool = True) -> str:
    """An interval in brackets; empty where it has no ends."""
    if math.isnan(low) or math.isnan(high):
        return ""
    first, last = (format_number(end, metric.decimals, signed) for end in (low, high))
    return f"[{first}, {last}]"


def format_interval(verdict: Verdict, metric: Metric) -> str:
    """A claim's interval in brackets."""
    return format_ends(verdict.result.low, verdict.result.high, metric)


def size_interval(verdict: Verdict, metric: Metric) -> str:
    """The interval of a size that is given without its sign; with signs where they differ."""
    if not verdict.result.has_interval:
        return ""
    low, high = verdict.result.low, verdict.result.high
    if low * high < 0:
        return format_interval(verdict, metric)
    low, high = sorted((abs(low), abs(high)))
    return format_ends(low, high, metric, signed=False)


def format_difference(verdict: Verdict, metric: Metric) -> str:
    """The first arm's value minus the second's, with its interval: negative where it is lower."""
    sign, result = (1 if metric.higher_is_better else -1), verdict.result
    low, high = sorted((sign * result.low, sign * result.high))
    mean = format_signed(sign * result.mean, metric)
    if result.n < 2:
        return f"{mean} {metric.unit}, one {'pair' if result.is_paired else 'run of an arm'}"
    if not result.has_interval:
        return f"{mean} {metric.unit} of {metric.title}, no interval"
    return f"{mean} {metric.unit} of {metric.title} {format_ends(low, high, metric)}"


def format_p(p: float) -> str:
    """A p-value to three digits."""
    return f"{p:.3f}" if p >= 0.001 else "below 0.001"


def format_percent(share: float) -> str:
    """A share in percent, to three digits."""
    return f"{100 * share:.3g}"


def format_share(share: float) -> str:
    """A share to whole percents, in words where that would say nothing or all."""
    if 0 < share < 0.005:
        return "less than 1 %"
    return "more than 99 %" if 0.995 < share < 1 else f"{100 * share:.0f} %"


def format_delta(verdict: Verdict, metric: Metric) -> str:
    """The smallest difference that matters, without its unit."""
    return f"{verdict.delta:.{metric.decimals}f}"


def pair_titles(plan: Plan, verdict: Verdict) -> tuple[str, str]:
    """The two arms of a claim."""
    return plan.title(verdict.claim.better), plan.title(verdict.claim.than)


def pairs_words(plan: Plan, verdict: Verdict) -> str:
    """How many pairs a verdict rests on, and of what: "7 pairs", "6 searches", "8 and 9 runs"."""
    if not verdict.result.is_paired:
        return f"{verdict.result.counts[0]} and {verdict.result.counts[1]} runs, unpaired"
    n, unit = verdict.result.n, plan.unit(verdict.claim.stage)
    noun = "pair" if unit == "seed" else unit
    return f"{n} {noun if n == 1 else plural(noun)}"


def items_words(plan: Plan, verdict: Verdict) -> str:
    """Which test images an interval covers: " and 2,000 test images"; empty for another metric."""
    if verdict.result.items:
        return f" and {verdict.result.items:,} test images"
    by_share = plan.space.metric(verdict.claim.metric).share_of_images
    return ", for these test images" if by_share else ""


def interval_kind(results: list[ArmDifference]) -> str:
    """How intervals were made, as a noun without its article."""
    if not all(result.is_paired for result in results):
        return "Welch interval"
    if any(result.items for result in results):
        return "two-way random-effects interval"
    return "paired t interval"


def epochs_words(plan: Plan) -> str:
    """Epochs a run; empty where no field holds them."""
    epochs = plan.base.get(plan.words.epochs)
    return "" if epochs is None else f"{epochs} epoch{'' if epochs == 1 else 's'} a run"


def is_tuned(plan: Plan, verdict: Verdict) -> bool:
    """Whether a search was made for either arm of a claim."""
    pair = (verdict.claim.better, verdict.claim.than)
    return any(plan.space.arm(name).search for name in pair)


def find_gate(verdict: Verdict, cause: Cause) -> Gate | None:
    """The gate that asks for this; None where none does."""
    return next((gate for gate in verdict.gates if gate.cause is cause), None)


def failed_reasons(verdict: Verdict) -> str:
    """Why a claim cannot be tested."""
    reasons = [gate.reason for gate in verdict.failed_gates]
    return "; ".join(reasons) or "a single pair of runs has no interval"


def final_title(results: Results) -> str:
    """Which arm ends above which, the claims of the page first, in the labels' words."""
    plan, metric = results.plan, results.plan.space.primary
    groups: dict[tuple[str, str], list[str]] = {}
    for verdict in sorted(results.verdicts, key=lambda one: one.claim.role != "primary"):
        claim = verdict.claim
        asked = claim.role == "primary" and (claim.stage, claim.metric) == ("final", metric.name)
        if (asked or is_against_reference(plan, verdict)) and verdict.result.n:
            groups.setdefault((verdict.label, claim.than), []).append(plan.title(claim.better))
    if not groups:
        return "Final result" if results.arms else "The final stage has not ended"
    parts = (
        f"{join_words(names)} {rank_words(label, metric, len(names))} {plan.title(than)}"
        for (label, than), names in groups.items()
    )
    return ("Each tuned: " if plan.tunes else "") + "; ".join(parts)


def is_against_reference(plan: Plan, verdict: Verdict) -> bool:
    """Whether a claim compares an arm's final primary metric with the reference's."""
    claim = verdict.claim
    return (claim.stage, claim.metric, claim.than) == (
        "final",
        plan.space.primary.name,
        plan.space.reference,
    )
