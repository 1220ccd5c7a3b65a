"""The page's sentence on levels: where the arms end, and what stands beside them."""

import math

from study.analysis.gates.tuning import tuned_levels
from study.analysis.results import Results
from study.analysis.verdict import Verdict
from study.design.space import Metric
from study.report.wording import format_level
from study.text import capitalize


def level_sentence(results: Results) -> str:
    """Where the two arms of the primary claim end, or all, and the controls; else empty."""
    plan, verdict = results.plan, results.verdict("primary")
    if verdict is None or not (plan.space.controls or plan.given):
        return ""
    metric = plan.space.metric(verdict.claim.metric)

    def level(name: str, title: str, stage: str) -> str:
        return f"{format_level(mean_level(results, name, stage, metric), metric)} ({title})"

    ranked = [one.arm.name for one in results.arms] if plan.is_general else []
    shown = ranked or (verdict.claim.better, verdict.claim.than)
    ran = [name for name in shown if results.values(name, "final", metric)]
    beside = [one for one in plan.space.controls if results.values(one.name, "control", metric)]
    if not ran:
        return ""
    arms = ", ".join(level(name, plan.title(name), "final") for name in ran)
    controls = ", ".join(level(one.name, one.title.lower(), "control") for one in beside)
    beside_them = f"; beside them {controls}" if controls else ""
    notes = f"{untuned_words(results, verdict)}{floor_words(results)}"
    return f"{capitalize(metric.title)}: {arms}{beside_them}.{notes}"


def untuned_words(results: Results, verdict: Verdict) -> str:
    """Which arms ended δ or more worse than their own runs at the report's setting; empty: none."""
    plan, metric = results.plan, results.plan.space.primary
    if verdict.claim.metric != metric.name or not (plan.tunes and plan.repeats):
        return ""
    worse = [one for one in tuned_levels(results, verdict.claim) if -one.mean >= verdict.delta]
    return "".join(
        f" {plan.title(one.arm)} untuned, at {plan.space.replica.shown}, reached "
        f"{format_level(one.reported, metric)}: better than tuned"
        f"{', beyond noise' if one.high < 0 else ', within noise'}."
        for one in worse
    )


def floor_words(results: Results) -> str:
    """Which controls that train nothing end δ better than every arm by a further metric."""
    return "".join(
        sentence
        for metric in results.plan.space.metrics[1:]
        if metric.share_of_images
        for sentence in better_controls(results, metric)
    )


def better_controls(results: Results, metric: Metric) -> list[str]:
    """A sentence for each control that trains nothing and ends δ better than every arm."""
    plan, sign = results.plan, 1 if metric.higher_is_better else -1
    arms = [sign * mean_level(results, arm.name, "final", metric) for arm in plan.running]
    best, sentences = max((x for x in arms if not math.isnan(x)), default=math.nan), []
    for control in plan.controls:
        level, config = mean_level(results, control.name, "control", metric), plan.config(control)
        trains = any(plan.words.reads(field.name, config) for field in plan.words.fixed)
        if not trains and sign * level - best >= results.delta(metric):  # False of NaN
            numbers = f"{format_level(level, metric)} against {format_level(sign * best, metric)}"
            sentences.append(
                f" By {metric.title} the control “{control.title.lower()}” lies "
                f"{metric.better_side} every {plan.space.scientific}: {numbers} at best."
            )
    return sentences


def mean_level(results: Results, name: str, stage: str, metric: Metric) -> float:
    """The mean of an arm's or a control's runs in a metric's unit; NaN of none."""
    values = [*results.values(name, stage, metric).values()]
    return sum(values) / len(values) if values else math.nan
