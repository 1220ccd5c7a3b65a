"""From records to labels: each claim's difference, interval, gates, and one of seven labels."""

import math
from typing import NamedTuple

from study.analysis.gates import Gate, gates_of, of_stage
from study.analysis.statistics import Paired, holm, paired
from study.design.plan import Plan
from study.design.space import Claim, Metric
from study.design.stages import Records

ALPHA = 0.05
LABELS = {
    "untestable": ("Not testable", "a gate failed; no number can repair it"),
    "supported": (
        "Supported",
        "interval above zero, mean at least δ, p at most 0.05 after Holm; less after a second look",
    ),
    "small": ("Supported, small", "as above, but the mean is below δ: real, not relevant"),
    "contradicted": ("Contradicted", "interval below zero: the opposite holds"),
    "equivalent": ("Equivalent", "interval inside −δ to +δ"),
    "nogain": ("No relevant gain", "interval below +δ: an advantage that matters is ruled out"),
    "undecided": ("Undecided", "anything else; the card says how many pairs are needed"),
}


class Verdict(NamedTuple):
    """A claim and what the records say of it."""

    claim: Claim
    label: str  # a key of LABELS
    result: Paired  # in the metric's unit; positive favours the claim
    p: float  # after Holm in a family; NaN for one pair
    alpha: (
        float  # the error rate of this test: ALPHA, less where the budget was raised after a look
    )
    family: int  # claims that share the error rate
    delta: float  # the smallest difference that matters, in the metric's unit
    gates: tuple[Gate, ...]


def values_of(
    plan: Plan, records: Records, arm: str, stage: str, metric: Metric, seeds: int = 0
) -> dict[int, float]:
    """An arm's values by seed, in the metric's unit; runs that did not finish have none."""
    found = {
        record.seed: record.metric(metric.name) * metric.scale
        for record in of_stage(records, arm, stage)
    }
    chosen = (
        sorted(found)[:seeds] if seeds else sorted(found)
    )  # the first seeds as planned, whether they finished or not
    return {seed: found[seed] for seed in chosen if not math.isnan(found[seed])}


def delta_of(plan: Plan, records: Records, metric: Metric) -> float:
    """The metric's delta; for a share of test images not below the binomial sd at the reference arm's final mean."""
    values = list(values_of(plan, records, plan.reference, "final", metric).values())
    images = plan.data.get("counts", {}).get("test", 0)
    if not (metric.share_of_images and values and images):
        return metric.delta
    share = sum(values) / len(values) / metric.scale
    return max(metric.delta, metric.scale * math.sqrt(max(share * (1 - share), 0.0) / images))


def difference(plan: Plan, claim: Claim, records: Records, level: float) -> Paired:
    """The claim's paired differences, turned so that positive favours it."""
    metric = plan.metric(claim.metric)
    better, than = (
        values_of(plan, records, arm, claim.stage, metric, claim.seeds)
        for arm in (claim.better, claim.than)
    )
    return paired(better, than, level) if metric.higher_is_better else paired(than, better, level)


def verdicts(plan: Plan, records: Records) -> list[Verdict]:
    """All claims of the plan, in its order."""
    family = plan.family
    adjusted = dict(
        zip(
            [claim.name for claim in family],
            holm([difference(plan, claim, records, 0.95).p for claim in family]),
            strict=True,
        )
    )
    found = []
    for claim in plan.claims:
        size = max(1, len(family)) if claim.role == "family" else 1
        alpha = (
            ALPHA / plan.looks if claim.stage == "final" else ALPHA
        )  # looks share the rate (Bonferroni)
        result = difference(plan, claim, records, 1 - alpha / size)
        p = adjusted.get(claim.name, result.p)
        delta = delta_of(plan, records, plan.metric(claim.metric))
        gates = tuple(gates_of(plan, claim, records))
        found.append(
            Verdict(
                claim,
                label_of(result, p, delta, gates, alpha),
                result,
                p,
                alpha,
                size,
                delta,
                gates,
            )
        )
    return found


def label_of(
    result: Paired, p: float, delta: float, gates: tuple[Gate, ...], alpha: float = ALPHA
) -> str:
    """The first rule that fits, in the order of LABELS."""
    if any(gate.state == "failed" for gate in gates) or result.n < 2:
        return "untestable"
    if result.low > 0 and p <= alpha:
        return "supported" if result.mean >= delta else "small"
    if result.high < 0:
        return "contradicted"
    if -delta < result.low and result.high < delta:
        return "equivalent"
    return "nogain" if result.high < delta else "undecided"
