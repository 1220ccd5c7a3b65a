"""From records to labels: each claim's difference, interval, gates, and one of seven labels."""

from typing import NamedTuple

from study.analysis.arm_records import ArmRecords
from study.analysis.comparison import ArmStage, compare
from study.analysis.gates.claim_gates import claim_gates
from study.analysis.gates.gate import Gate
from study.analysis.statistics import ArmDifference, holm
from study.design.plan import ALPHA
from study.design.space import Claim

LABELS = {
    "untestable": ("Not testable", "a gate failed; the card says which, and what would help"),
    "supported": (
        "Supported",
        "interval above zero, mean at least δ, p at most 0.05 after Holm (less where an earlier "
        "look at the results has used some of it)",
    ),
    "small": ("Supported, small", "as above, but the mean is below δ: real, not relevant"),
    "contradicted": ("Contradicted", "interval below zero, the same p: the opposite holds"),
    "equivalent": ("Equivalent", "interval inside −δ to +δ"),
    "nogain": ("No relevant gain", "interval below +δ: an advantage that matters is ruled out"),
    "undecided": ("Undecided", "anything else; the card says how many pairs are needed"),
}


class Verdict(NamedTuple):
    """A claim and what the records say of it."""

    claim: Claim
    label: str  # a key of LABELS
    result: ArmDifference  # in the metric's unit; positive favours the claim
    p: float  # after Holm in a family; NaN for one pair
    alpha: float  # the error rate of this test: ALPHA, less after interim analyses
    family: int  # claims that share the error rate
    delta: float  # the smallest difference that matters, in the metric's unit
    gates: tuple[Gate, ...]

    @property
    def is_verified(self) -> bool:
        """Whether it is known of every gate that it holds; what cannot be tested claims nothing."""
        return self.label == "untestable" or all(gate.state == "passed" for gate in self.gates)

    @property
    def title(self) -> str:
        """The label for people, with what it lacks."""
        return LABELS[self.label][0] + ("" if self.is_verified else ", unverified")

    @property
    def failed_gates(self) -> list[Gate]:
        """Those that keep the claim from being tested."""
        return [gate for gate in self.gates if gate.state == "failed"]


def paired_difference(results: ArmRecords, claim: Claim, level: float) -> ArmDifference:
    """The claim's paired differences, turned so that positive favours it."""
    return compare(
        results,
        ArmStage(claim.better, claim.stage),
        ArmStage(claim.than, claim.stage),
        metric=results.plan.space.metric(claim.metric),
        level=level,
        seeds=claim.seeds,
    )


def judge_claims(results: ArmRecords) -> list[Verdict]:
    """The verdicts on all claims of the plan, in its order."""
    plan = results.plan
    family = plan.family
    p_values = holm([paired_difference(results, claim, 0.95).p for claim in family])
    adjusted = dict(zip([claim.name for claim in family], p_values, strict=True))
    verdicts = []
    for claim in plan.space.claims:
        size = max(1, len(family)) if claim.role == "family" else 1
        alpha = plan.alpha if claim.stage == "final" else ALPHA
        result = paired_difference(results, claim, 1 - alpha / size)
        p = adjusted.get(claim.name, result.p)
        delta = results.delta(plan.space.metric(claim.metric))
        gates = tuple(claim_gates(results, claim))
        label = choose_label(result, p, delta=delta, gates=gates, alpha=alpha)
        verdicts.append(
            Verdict(
                claim=claim, label=label, result=result, p=p, alpha=alpha, family=size,
                delta=delta, gates=gates,
            )
        )  # fmt: skip
    return verdicts


def choose_label(
    result: ArmDifference, p: float, *, delta: float, gates: tuple[Gate, ...], alpha: float = ALPHA
) -> str:
    """The first rule that fits, in the order of LABELS."""
    if any(gate.state == "failed" for gate in gates) or result.n < 2:
        return "untestable"
    if result.low > 0 and p <= alpha:
        return "supported" if result.mean >= delta else "small"
    if result.high < 0 and p <= alpha:
        return "contradicted"
    if (-delta < result.low and result.high < delta) or result.low == result.high == 0:
        return "equivalent"
    return "nogain" if result.high < delta else "undecided"
