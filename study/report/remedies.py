"""What would change a verdict, computed from the same pairs."""

import math
from collections.abc import Callable

from study.analysis.gates.claim_gates import min_seeds
from study.analysis.gates.gate import Cause
from study.analysis.power import MOST_PAIRS, pairs_needed
from study.analysis.statistics import ArmDifference, least_pairs
from study.analysis.verdict import Verdict
from study.design.plan import ALPHA, Plan, least_p
from study.design.space import Metric
from study.report.wording import failed_reasons, find_gate, format_signed, format_size
from study.text import plural

CONTINUE = "Finished trials are saved; run the same command to continue."
UNKNOWN_ABOVE = "To verify it, what is not stated has to be shown."
REMEDIES = {  # by gate
    "Range": "A denser search, as by --trials, or a wider range, as by --range NAME=LOW..HIGH.",
    "Tuning": "More trials a search, as by --trials, or a range that holds the reported setting.",
    "Budget": "The same command: it runs what an arm still lacks.",
    "Search": "A longer search, as by --trials; an unfinished one goes on by the same command.",
    "Learned": "Longer training (as by --set epochs), more images, or a larger encoder.",
    "Splits": "A field of the space’s stages, such as a split, that differs between search and "
    "final.",
    "Stability": "A range without the settings at which runs diverge.",
}
BY_CAUSE = {
    Cause.MISSING: "The results that one arm lacks: the same command tries failed runs again.",
    Cause.DUPLICATES: "A test split without the items that are also trained on.",
}


def what_would_change(plan: Plan, verdict: Verdict) -> str:
    """What would change the label."""
    if verdict.claim.role == "published":
        tuned = ", each arm at its own tuned rate" if plan.tunes else ""
        return f"Six or more paired seeds{tuned}, scored by the {plan.space.primary.title}."
    if find_gate(verdict, Cause.ABSENT):
        return "What is missing here: below the final result stands what that is."
    if verdict.label == "untestable":
        return gate_remedies(plan, verdict)
    metric = plan.space.metric(verdict.claim.metric)
    find_change, unit = CHANGES.get(verdict.label), plan.unit(verdict.claim.stage)
    sentences = [find_change(verdict, metric, unit)] if find_change else []
    if plan.given:
        sentences.append(UNKNOWN_ABOVE)
    if len(verdict.result.differences) > 2:
        sentences.append(leave_one_out(verdict.result, metric, unit))
    return " ".join(sentences)


def leave_one_out(result: ArmDifference, metric: Metric, unit: str) -> str:
    """How far the mean moves without any one seed or search."""
    means = [(sum(result.differences) - d) / (result.n - 1) for d in result.differences]
    low, high = (format_signed(mean, metric) for mean in (min(means), max(means)))
    return f"Leaving out any one {unit} keeps the mean between {low} and {high}."


def change_supported(verdict: Verdict, metric: Metric, unit: str) -> str:
    """The δ above which the difference would be small."""
    size = format_size(verdict.result.mean, metric)
    return f"With a δ above {size} it would be “supported, small”."


def change_contradicted(verdict: Verdict, metric: Metric, unit: str) -> str:
    """Nothing within this setting."""
    return "Another setting: it holds for this one only."


def change_equivalent(verdict: Verdict, metric: Metric, unit: str) -> str:
    """The δ below which the arms would not be level."""
    ends = (verdict.result.low, verdict.result.high)
    return f"A δ below {format_size(max(map(abs, ends)), metric)}."


def change_nogain(verdict: Verdict, metric: Metric, unit: str) -> str:
    """The δ below which a gain would not be ruled out, or what would show the opposite."""
    if verdict.result.high > 0:
        return f"A δ below {format_size(verdict.result.high, metric)}."
    return f"No δ; for the opposite claim p is too large. {least_p_words(verdict, unit)}".rstrip()


def least_p_words(verdict: Verdict, unit: str) -> str:
    """That so few pairs can reach no p that is small enough; empty where they can."""
    n, lowest = verdict.result.n, least_p(verdict.result.n) * verdict.family
    if not verdict.result.is_paired or lowest <= verdict.alpha:
        return ""
    family = f" in a family of {verdict.family}" if verdict.family > 1 else ""
    return (
        f"With n = {n} no claim{family} can reach p = {verdict.alpha:g} (the least is "
        f"{lowest:.2f}); more {plural(unit)} can."
    )


def change_undecided(verdict: Verdict, metric: Metric, unit: str) -> str:
    """How many pairs would decide, at the error rate of one more interim analysis."""
    if not verdict.result.is_paired:
        return "More runs, or runs that share seeds between the arms, so that they can be paired."
    n, more = verdict.result.n, plural(unit)
    alpha = ALPHA if verdict.claim.stage != "final" else after_another_look(verdict)
    if words := least_p_words(verdict, unit):
        return words
    by_items = verdict.result.item_half
    if by_items >= verdict.delta:
        return (
            f"More test images: these {verdict.result.items:,} alone leave "
            f"±{format_size(by_items, metric)}, and δ is {format_size(verdict.delta, metric)}."
        )
    room = math.sqrt(verdict.delta**2 - by_items**2)
    needed = pairs_needed(verdict.result.sd, room, 1 - alpha / verdict.family)
    if math.isinf(needed):
        return f"Nothing within reach: more than {MOST_PAIRS:,} {more} would be needed."
    if needed > n:
        pairs = "pairs" if unit == "seed" else more
        return (
            f"More {more}: about {needed:,} {pairs} bring the interval to ±δ; this study has {n}."
        )
    if verdict.result.item_share > 0.5:
        return (
            "More test images: the estimate lies near the edge of ±δ, and most of the interval’s "
            f"width is theirs, not the {more}’."
        )
    return (
        "The interval is narrower than ±δ, but the estimate lies too near its edge; only many "
        f"more {more} could tell."
    )


CHANGES: dict[str, Callable[[Verdict, Metric, str], str]] = {  # by label; str: seed or search
    "supported": change_supported,
    "contradicted": change_contradicted,
    "equivalent": change_equivalent,
    "nogain": change_nogain,
    "undecided": change_undecided,
}


def gate_remedies(plan: Plan, verdict: Verdict) -> str:
    """What each failed gate asks for."""
    if plan.given:
        return "Runs in which what failed holds: as many seeds in both, each with a finite number."
    if find_gate(verdict, Cause.UNFINISHED):
        return CONTINUE
    remedies = {**REMEDIES, "Seeds": seeds_remedy(plan, verdict)}
    found = (BY_CAUSE.get(one.cause) or remedies.get(one.name) for one in verdict.failed_gates)
    sentences = [sentence for sentence in found if sentence]
    return " ".join(sentences) if sentences else f"The gate: {failed_reasons(verdict)}."


def seeds_remedy(plan: Plan, verdict: Verdict) -> str:
    """How many seeds a stage needs."""
    if verdict.claim.stage != "final":
        return "More seeds of the replica, in the space’s profile."
    option = "--searches" if plan.repeats else "--seeds"
    least = max(min_seeds(plan, "final"), least_pairs(after_another_look(verdict)))
    return (
        f"More {option.removeprefix('--')}: {option} {least} or more; raised after results were "
        "seen, it is one more interim analysis, which this number counts."
    )


def after_another_look(verdict: Verdict) -> float:
    """The error rate of a final claim if the study goes on from here to one more analysis."""
    return ALPHA / (ALPHA / verdict.alpha + 1)
