"""The page's verdict cards: what it shows of each claim."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from study.analysis.gates.claim_gates import min_seeds
from study.analysis.gates.gate import Cause, Gate
from study.analysis.results import Results
from study.analysis.verdict import Verdict
from study.design.plan import ALPHA, Plan
from study.design.space import Claim, Metric
from study.figures.panel import (
    Bar,
    Mark,
    Panel,
    Points,
    Rule,
    difference_axis,
    pad_range,
    row_axis,
    stack_dots,
)
from study.figures.svg import render_svg
from study.report.remedies import what_would_change
from study.report.wording import (
    format_delta,
    format_p,
    format_percent,
    format_share,
    format_signed,
    format_size,
    interval_kind,
    items_words,
    pair_titles,
    pairs_words,
    size_interval,
)
from study.text import count_words, plural

Range = tuple[float, float]
Cards = dict[str, list["Card"]]  # by role

BESIDE = ("published", "replica", "secondary")  # roles that stand below the primary claim
COUNTS = {2: "two", 3: "three", 4: "four", 5: "five"}
INTERVAL = (
    "Bar: the interval. Large mark: the difference of means. Full line: zero. Dotted line: δ."
)
FINDING = (
    "Differences, one a {unit}: {values}. Bar: the interval. Large mark: the mean. Full line: "
    "zero. Dotted line: δ."
)
EXPLORATORY = "Exploratory: each is tested by itself, and none decides the question."
HOLM = (
    "Tested together: the interval of each is widened and its p corrected (Holm), so that the "
    "whole family errs {rate}."
)


class Card(NamedTuple):
    """One claim as the page shows it."""

    claim: Claim
    label: str
    title: str  # the label for people
    effect: str
    interval: str
    note: str  # interval kind, n, p and δ
    svg: Markup
    gates: tuple[Gate, ...]
    passed: str  # how many of them
    change: str  # what would change the label


class CardGroup(NamedTuple):
    """Cards under one heading."""

    title: str
    note: str
    cards: list[Card]
    not_run: list[Card]  # claims about arms that this study cannot run: a line each


def claim_cards(results: Results) -> Cards:
    """The cards by role; those of a role and metric share a scale, so that widths compare."""
    cards: Cards = {}
    plan = results.plan
    ranges = shared_ranges(results.verdicts)
    for verdict in results.verdicts:
        card = claim_card(plan, verdict, ranges.get(scale_key(verdict)))
        cards.setdefault(verdict.claim.role, []).append(card)
    return cards


def scale_key(verdict: Verdict) -> tuple[str, str]:
    """Verdicts of one key are drawn on one scale."""
    role = verdict.claim.role
    return ("beside" if role in BESIDE else role, verdict.claim.metric)


def shared_ranges(verdicts: Sequence[Verdict]) -> dict[tuple[str, str], Range]:
    """The ends of the scale that the verdicts of a key share."""
    values: dict[tuple[str, str], list[float]] = {}
    for verdict in (one for one in verdicts if one.result.n):
        result = verdict.result
        ends = (0.0, verdict.delta, result.mean, *result.differences, *result.shown_ends)
        numbers = (value for value in ends if not math.isnan(value))
        values.setdefault(scale_key(verdict), []).extend(numbers)
    return {key: pad_range(numbers) for key, numbers in values.items()}


def claim_card(plan: Plan, verdict: Verdict, ends: Range | None) -> Card:
    """One card; `ends` are those of its scale, None where nothing was run."""
    metric = plan.space.metric(verdict.claim.metric)
    effect, interval = effect_words(verdict, metric)
    is_first = verdict.claim.role in ("primary", "published", "replica")
    panel = verdict_panel(plan, verdict, metric, ends) if ends and verdict.result.n else None
    names = {arm.name: arm.title for arm in plan.space.arms}
    return Card(
        claim=verdict.claim,
        label=verdict.label,
        title=verdict.title,
        effect=effect,
        interval=interval,
        note=result_note(plan, verdict, metric),
        svg=Markup(render_svg(panel, names) if panel else ""),
        gates=verdict.gates if is_first else fold_gates(verdict),
        passed=count_passed(verdict),
        change=what_would_change(plan, verdict),
    )


def effect_words(verdict: Verdict, metric: Metric) -> tuple[str, str]:
    """The difference and its interval."""
    if not verdict.result.n:
        return "Not run", "no pair of runs has finished"
    effect = f"{format_signed(verdict.result.mean, metric)} {metric.unit}"
    if not metric.higher_is_better:
        side = "better" if verdict.result.mean >= 0 else "worse"
        effect = f"{format_size(verdict.result.mean, metric)} {side}"
    if not verdict.result.has_interval:
        return effect, f"{count_words(verdict.result.n, 'pair')}, no interval"
    return effect, size_interval(verdict, metric)


def result_note(plan: Plan, verdict: Verdict, metric: Metric) -> str:
    """Interval kind, n, p and δ under a claim's difference."""
    result, pairs = verdict.result, pairs_words(plan, verdict)
    delta = f"Smallest difference that matters: δ = {format_delta(verdict, metric)} {metric.unit}."
    if not result.has_interval:
        return delta if result.n else ""
    single = "sign-flip p" if result.is_paired else "Welch p"
    kind = "Holm p" if verdict.family > 1 else single
    return (
        f"{format_percent(result.level)} % {interval_kind([result])}, n = {pairs}"
        f"{items_words(plan, verdict)}, {kind} = {format_p(verdict.p)}.{share_words(verdict)}"
        f"{median_words(verdict, metric)} {delta}"
    )


def share_words(verdict: Verdict) -> str:
    """How much of the variance comes from the test images; empty where that is not known."""
    share = verdict.result.item_share
    return (
        f" Of its variance {format_share(share)} is of the test images."
        if verdict.result.items
        else ""
    )


def median_words(verdict: Verdict, metric: Metric) -> str:
    """The median difference, which a few failed runs do not move."""
    if not verdict.result.is_paired:
        return ""
    median = statistics.median(verdict.result.differences)
    return f" Median difference {format_signed(median, metric)}."


def error_sentence(plan: Plan) -> str:
    """How often the claims err, each by itself and all together (Bonferroni)."""
    tested = [
        claim
        for claim in plan.space.claims
        if claim.role != "published"
        and not (plan.why_absent(claim.better) or plan.why_absent(claim.than))
    ]
    if plan.pairs < min_seeds(plan, "final"):
        return (
            f"So few {plural(plan.unit('final'))} call no difference real, whether there is one or "
            "not."
        )
    rate, single = 100 * plan.total_alpha, 100 * ALPHA
    exploratory = [
        rate if claim.stage == "final" else single for claim in tested if claim.role in BESIDE
    ]
    primary = [rate for claim in tested if claim.role == "primary"]
    family = [rate] if plan.family else []
    if len(primary) + len(family) + len(exploratory) < 2:
        return ""
    parts = [f"the primary claim in about {rate:.3g} %"]
    if family:
        together = f" of {len(plan.family)} together" if len(plan.family) > 1 else ""
        parts.append(f"its family{together} in as many")
    if exploratory:
        rates = " to ".join(f"{one:.3g}" for one in sorted({*exploratory}))
        ones = f"each of the {len(exploratory)} exploratory ones"
        parts.append(
            f"{ones if len(exploratory) > 1 else 'the exploratory one'} in about {rates} %"
        )
    return (
        f"Where nothing differs, a study like this calls a difference real: {', '.join(parts)}; "
        f"any of them in up to {sum(primary + family + exploratory):.3g} %."
    )


def count_passed(verdict: Verdict) -> str:
    """How many of the gates passed."""
    total = len(verdict.gates)
    passed = sum(gate.state == "passed" for gate in verdict.gates)
    return f"all {total} passed" if passed == total else f"{passed} of {total} passed"


def fold_gates(verdict: Verdict) -> tuple[Gate, ...]:
    """All gates as one where all passed: what is particular to this claim, the rest as above."""
    if any(gate.state != "passed" for gate in verdict.gates):
        return verdict.gates
    own = [gate.reason for gate in verdict.gates if gate.name in ("Range", "Stability")]
    reason = "; ".join(own) + "; the rest as above"
    return (Gate(f"All {len(verdict.gates)} gates", "passed", reason),)


def card_groups(plan: Plan, cards: Cards) -> list[CardGroup]:
    """The cards below the primary claim."""
    beside = [card for role in BESIDE for card in cards.get(role, [])]
    family = cards.get("family", [])
    groups = [
        (beside_title(plan, cards), EXPLORATORY, beside),
        (family_title(plan, family), family_note(plan), family),
    ]
    return [card_group(*group) for group in groups if group[-1]]


def card_group(title: str, note: str, cards: list[Card]) -> CardGroup:
    """Cards under a heading, those that cannot be run apart."""
    not_run = [card for card in cards if any(g.cause is Cause.ABSENT for g in card.gates)]
    return CardGroup(title, note, [card for card in cards if card not in not_run], not_run)


def beside_title(plan: Plan, cards: Cards) -> str:
    """What the published, replicated and secondary claims have in common."""
    if "published" in cards or "replica" in cards:
        on_loss = any(metric.name == "loss" for metric in plan.space.metrics[1:2])
        how = "on the loss alone" if on_loss else "by other measures"
        return f"The same claim as the report put it, and {how}"
    measured = [card.claim for role in ("primary", "secondary") for card in cards.get(role, [])]
    pairs = {(claim.better, claim.than) for claim in measured}
    return "The same claim by another measure" if len(pairs) == 1 else "Further claims"


def family_title(plan: Plan, family: list[Card]) -> str:
    """What the family compares, and how large it is."""
    reference, size = plan.space.reference, len(plan.family)
    if all(card.claim.than == reference for card in family):
        against = f"The other {plural(plan.space.scientific)} against {plan.title(reference)}"
    else:
        against = "Further comparisons"
    tuned = ", each tuned" if plan.tunes else ""
    if size > 1:
        return f"{against}{tuned}: a family of {COUNTS.get(size, str(size))} claims"
    return f"{against}{tuned}: one claim"


def family_note(plan: Plan) -> str:
    """How the family is tested; empty for one claim."""
    if len(plan.family) < 2:
        return ""
    if plan.analyses == 1:
        return HOLM.format(rate="in one of twenty")
    return HOLM.format(rate=f"in {100 * plan.alpha:.3g} % at this analysis")


def verdict_panel(plan: Plan, verdict: Verdict, metric: Metric, ends: Range) -> Panel:
    """A claim's paired differences: small marks, interval, mean, zero and δ."""
    low, high = ends
    result, unit = verdict.result, plan.unit(verdict.claim.stage)
    height = 92 if verdict.claim.role == "primary" else 62
    values = ", ".join(format_signed(value, metric) for value in sorted(result.differences))
    finding = FINDING.format(unit=unit, values=values) if values else INTERVAL
    return Panel(
        id=f"claim-{verdict.claim.name}",
        title=verdict.claim.words,
        note="",
        finding=finding,
        x=difference_axis(low, high, *pair_titles(plan, verdict)),
        y=row_axis(height),
        marks=verdict_marks(verdict, metric, ends=ends, height=height),
        height=height,
        left=8,
        right=8,
        top=30,
        bottom=46,
    )


def verdict_marks(
    verdict: Verdict, metric: Metric, *, ends: Range, height: int
) -> tuple[Mark, ...]:
    """The marks of a claim's panel, whose scale has these ends and which is so many pixels high."""
    result, arm, middle = verdict.result, verdict.claim.better, height * 0.68
    delta = Rule("ref", verdict.delta, label=f"δ = {format_delta(verdict, metric)}")
    heights = stack_dots(
        result.differences, width=(ends[1] - ends[0]) * 0.025, base=height / 3, step=10
    )
    marks: list[Mark] = [Rule("zero", 0.0), delta]
    if result.n == 1:
        return (*marks, Points(arm, "hollow", result.differences, heights))
    if result.has_interval:
        marks.append(Bar(arm, "ci", result.low, result.high, middle))
    marks.append(Points(arm, "mean", (result.mean,), (middle,)))
    return (*marks, Points(arm, "dot", result.differences, heights))
