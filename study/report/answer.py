"""The page's first sentences: the answer, and what the report's setting gives."""

import math
from collections.abc import Callable
from typing import NamedTuple

from study.analysis.gates.gate import Cause
from study.analysis.results import Results
from study.analysis.verdict import Verdict
from study.design.plan import Plan
from study.design.space import Metric
from study.design.stages import is_finished
from study.report.advice import floor_words
from study.report.ranking import ranking_words
from study.report.wording import (
    epochs_words,
    failed_reasons,
    find_gate,
    format_delta,
    format_difference,
    format_p,
    format_percent,
    format_size,
    is_tuned,
    items_words,
    pair_titles,
    pairs_words,
    rank_words,
    size_interval,
)
from study.text import capitalize

DECIDED = ("supported", "small", "contradicted", "equivalent", "nogain")
UNVERIFIED = " Unverified: the gates say what the file does not."
Answer = tuple[str, str]  # its bold part, and what follows


class Measured(NamedTuple):
    """A verdict's numbers in words, and what was done for both arms before they met."""

    better: str
    than: str
    size: str  # "1.2 points of probe accuracy"
    interval: str
    effect: str  # the signed difference with its interval
    sides: tuple[str, str]  # where a better and a worse value lie: "above", "below"
    pairs: str  # level and n
    delta: str
    how: str  # as a part of yes
    even: str  # as a part of no
    reasons: str  # why it cannot be tested


def measure(plan: Plan, verdict: Verdict) -> Measured:
    """A verdict in words."""
    metric, result = plan.space.metric(verdict.claim.metric), verdict.result
    better, than = pair_titles(plan, verdict)
    how, even = tuning_words(plan, verdict)
    return Measured(
        better=better,
        than=than,
        size=f"{format_size(result.mean, metric)} of {metric.title}",
        interval=size_interval(verdict, metric),
        effect=format_difference(verdict, metric),
        sides=(metric.better_side, metric.worse_side),
        pairs=(
            f"{format_percent(result.level)} % interval, n = {pairs_words(plan, verdict)}"
            f"{same_seeds(plan, verdict)}{items_words(plan, verdict)}"
            if result.has_interval
            else f"n = {pairs_words(plan, verdict)}, no interval"
        ),
        delta=format_delta(verdict, metric),
        how=how,
        even=even,
        reasons=failed_reasons(verdict),
    )


def same_seeds(plan: Plan, verdict: Verdict) -> str:
    """What pairs share; empty where runs are not paired."""
    if not verdict.result.is_paired:
        return ""
    return f" by {plan.given.noun}" if plan.given else " on the same seeds"


def tuning_words(plan: Plan, verdict: Verdict) -> tuple[str, str]:
    """What was done for both arms before they met: as a part of yes, and of no."""
    if plan.given:
        return "as the runs have it", "as the runs have it"
    if plan.space.explore is not None:
        return "at the setting that the search found", "though it was searched for"
    if is_tuned(plan, verdict):
        if plan.repeats:
            tuned = f"each tuned {verdict.result.n} times by {plan.sizes.search_trials} trials"
            return tuned, tuned
        return "once each has its own learning rate", "even at its own learning rate"
    better, than = pair_titles(plan, verdict)
    how = f"{better} against {than}, nothing tuned for either"
    return how, "nothing being tuned for either"


def answer(results: Results) -> Answer:
    """The page's answer: on which data and sizes, the primary claim's verdict, n and interval."""
    if results.plan.given:
        return given_answer(results)
    if not results.plan.is_general:
        return claim_answer(results)
    first, rest = ranking_answer(results)
    setting = setting_words(results.plan)
    return f"On {setting}: {first}" if setting else first, rest


def claim_answer(results: Results) -> Answer:
    """The primary claim's verdict, on which data and sizes."""
    first, rest = answer_itself(results)
    setting = setting_words(results.plan)
    return f"On {setting}: {first}" if setting else first, rest


def given_answer(results: Results) -> Answer:
    """What given runs say: of two arms the verdict, of more the ranking."""
    verdict = results.verdict("primary")
    if verdict is None and results.ranking is None and results.verdicts:
        verdict = next((one for one in results.verdicts if one.result.n), None)
        if verdict is None:
            first, rest = unanswered(results)
        else:
            first, rest = ANSWERS[verdict.label](measure(results.plan, verdict))
    elif verdict is None:
        first, rest = ranking_answer(results)
    else:
        first, rest = answer_itself(results)
    decided = verdict is None or verdict.label in DECIDED
    return first, rest + (UNVERIFIED if decided else "")


def ranking_answer(results: Results) -> Answer:
    """Which arm is best, and which cannot be told apart from it; or that it is not known yet."""
    if results.ranking is None or not is_finished(results.plan, results.final):
        first, rest = unanswered(results)
        return first, rest if results.ranking is None else "The study goes on."
    first, rest = ranking_words(results, results.ranking)
    if not floor_words(results, results.ranking.best.arm):
        return first, rest
    what, floor = results.plan.space.scientific, results.plan.title(results.plan.space.floor)
    return (
        f"No {what} to recommend: none is shown to end above the control “{floor.lower()}”.",
        f"{first} {rest}",
    )


def setting_words(plan: Plan) -> str:
    """Data and sizes in short, "made-up shapes, 16 px, 5 epochs a run"; empty where unknown."""
    seen = next((row[1] for row in plan.data.about if row[0] == "Data"), "")
    return ", ".join(filter(None, (seen or plan.data.title or plan.data.name, epochs_words(plan))))


def answer_itself(results: Results) -> Answer:
    """The primary claim's verdict, with n and the interval."""
    plan, verdict = results.plan, results.verdict("primary")
    if verdict is not None and (gate := find_gate(verdict, Cause.ABSENT)):
        return "Not answered here.", f"{gate.reason}. Below the final result stands what to do."
    if verdict is not None and find_gate(verdict, Cause.SAME):
        again = plan.title(verdict.claim.than)
        trials = f"{plan.sizes.search_trials} trials"
        return (
            f"No: the search found nothing better than {again}.",
            f"Of its {trials} the best, confirmed on new seeds, is {again} itself.",
        )
    if verdict is None or not verdict.result.n:
        return unanswered(results)
    measured = measure(plan, verdict)
    if verdict.label == "undecided" and verdict.result.low > 0:
        return (
            f"Undecided, {measured.effect}.",
            f"The interval lies {measured.sides[0]} zero, but p is {format_p(verdict.p)} "
            f"({measured.pairs}).",
        )
    return ANSWERS[verdict.label](measured)


def unanswered(results: Results) -> Answer:
    """Why no pair of final runs has a result."""
    if not results.records:
        return "Not answered yet.", "Nothing has run."
    if not is_finished(results.plan, results.final):
        return "Not answered yet.", "No pair of final runs has finished; the study goes on."
    finals = [run for run in results.current.values() if run.stage == "final"]
    metric = results.plan.space.primary
    diverged = sum(run.status == "diverged" for run in finals)
    finite = sum(math.isfinite(run.metric(metric.name)) for run in finals)
    empty = sum(run.status == "finished" for run in finals) - finite
    why = f"{diverged} of {len(finals)} final runs diverged"
    why += f", {empty} ended without a finite {metric.title}" if empty else ""
    if finite:
        unit = results.plan.unit("final")
        why += f", {finite} have a number, and no two of them are of one {unit} and of two arms"
    return (
        "Not answered.",
        f"The study has ended and no pair of final runs has a result: {why}.",
    )


def answer_supported(words: Measured) -> Answer:
    """Better by what matters."""
    return f"Yes, by {words.size} {words.interval},", f"{words.how} ({words.pairs})."


def answer_small(words: Measured) -> Answer:
    """Better by less than what matters."""
    return (
        f"Yes, but only by about {words.size} {words.interval},",
        f"an estimate below the {words.delta} that matter ({words.pairs}).",
    )


def answer_contradicted(words: Measured) -> Answer:
    """Worse."""
    return (
        f"No, the opposite holds, {words.better} ends {words.size} {words.sides[1]} {words.than} "
        f"{words.interval},",
        f"{words.even} ({words.pairs}).",
    )


def answer_equivalent(words: Measured) -> Answer:
    """Level."""
    return (
        f"No, {words.better} and {words.than} are level, {words.effect},",
        f"within the ±{words.delta} that do not matter ({words.pairs}).",
    )


def answer_nogain(words: Measured) -> Answer:
    """Not better by what matters."""
    return (
        f"No gain that matters, {words.effect};",
        f"an advantage of {words.delta} or more is ruled out ({words.pairs}).",
    )


def answer_undecided(words: Measured) -> Answer:
    """Neither."""
    return (
        f"Undecided, {words.effect}.",
        f"The interval holds both zero and differences that matter ({words.pairs}).",
    )


def answer_untestable(words: Measured) -> Answer:
    """A gate failed."""
    return (
        "Not testable.",
        f"{capitalize(words.reasons)}. Measured: {words.effect} ({words.pairs}).",
    )


ANSWERS: dict[str, Callable[[Measured], Answer]] = {  # by label
    "supported": answer_supported,
    "small": answer_small,
    "contradicted": answer_contradicted,
    "equivalent": answer_equivalent,
    "nogain": answer_nogain,
    "undecided": answer_undecided,
    "untestable": answer_untestable,
}


def replica_sentence(plan: Plan, verdict: Verdict | None) -> str:
    """What the report's own setting gives with seeds; empty where the report has none."""
    if verdict is None or not any(arm.in_report for arm in plan.space.arms):
        return ""
    setting = f"At the report’s setting, {plan.space.replica.shown},"
    if gate := find_gate(verdict, Cause.ABSENT):
        return f"{setting} nothing was run: {gate.reason}."
    if verdict.result.n < 2:
        return f"{setting} too few runs have ended to say."
    metric = plan.space.metric(verdict.claim.metric)
    return f"{setting} {replica_result(plan, verdict, metric)}{collapsed_words(verdict)}."


def replica_result(plan: Plan, verdict: Verdict, metric: Metric) -> str:
    """Which arm ends where, or that it is not decided."""
    result = verdict.result
    above, below = ("higher", "lower") if metric.higher_is_better else ("lower", "higher")
    side = {"supported": above, "small": above, "contradicted": below}.get(verdict.label)
    better, than = pair_titles(plan, verdict)
    if side is None:
        stands, difference = rank_words(verdict.label, metric), format_difference(verdict, metric)
        return f"{better} {stands} {than}: {difference}, n = {result.n} pairs"
    size = f"{format_size(result.mean, metric)} {size_interval(verdict, metric)}".rstrip()
    return (
        f"{better} ends with a {side} {metric.title} than {than}, by {size}, n = {result.n} pairs"
    )


def collapsed_words(verdict: Verdict) -> str:
    """How many runs collapsed, as an afterthought; empty where none did."""
    gate = find_gate(verdict, Cause.COLLAPSED)
    return f" ({gate.detail})" if gate else ""


def published_sentence(plan: Plan, verdict: Verdict | None) -> str:
    """Why the published claim as such cannot be judged."""
    if verdict is None:
        return ""
    return (
        f"one run each, one shared setting ({plan.space.replica.shown}), nothing tuned, judged by "
        f"the {plan.space.metric(verdict.claim.metric).title}."
    )
