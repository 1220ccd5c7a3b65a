"""The page's figures with their frames: title, subtitle, panels, caption and the table behind each."""

import math
from itertools import groupby
from typing import Any

from study.compare import Paired, paired
from study.drawings import digits, final_panels
from study.drawings_tuning import budget_panels, loss_panels, rate_panels
from study.fairness import fairness, fairness_title
from study.panel import Panel, capital, joined, number, short
from study.plan import Plan, tuned
from study.sentences import final_title
from study.space import Arm
from study.stages import Records
from study.tables import ArmResult, RateCurve, arm_results, budget_curves, loss_and_score, rank_correlation, rate_curves
from study.verdict import ALPHA, Verdict, delta_of, values_of

Section = dict[str, Any]
FEW = 20  # tuned runs, below which their rank correlation says nothing


def frame(id: str, title: str, sub: str, caption: str, table: dict[str, Any] | None = None) -> Section:
    """What every figure has around it."""
    return {"id": id, "title": title, "sub": sub, "caption": caption, "table": table}


def fmt(value: float, places: int) -> str:
    """A number, or a dash where there is none."""
    return "–" if math.isnan(value) else number(value, places)


def final(plan: Plan, records: Records, verdicts: list[Verdict]) -> Section | None:
    """The final stage: every seed, the differences, and the table."""
    results = arm_results(plan, records)
    if not results:
        return None
    metric = plan.metrics[0]
    unit, count = "%" if metric.unit == "points" else metric.unit, max(len(r.by_seed) for r in results)
    delta, images = delta_of(plan, records, metric), plan.data.get("counts", {}).get("test", 0)
    by_seed = [[str(seed), *(fmt(r.by_seed.get(seed, math.nan), digits(metric)) for r in results)] for seed in plan.seeds("final")]
    table = {"caption": f"Test {metric.title}, {unit}, by seed", "head": ["Seed", *(r.arm.title for r in results)], "rows": by_seed}
    sub = f"{capital(metric.title)} on {images:,} test images. n = {count} fresh seeds of each {plan.scientific}; every small mark is one seed."
    head, rows = final_table(plan, results)
    return {
        "figure": frame("final", final_title(plan, results, verdicts), sub, final_caption(plan, delta, images), table),
        "panels": final_panels(plan, results, reference_pairs(plan, records, results, verdicts), delta),
        "head": head, "rows": rows, "caption": f"{capital(metric.title)} on the test split, {unit}, n = {count} seeds",
    }  # fmt: skip


def reference_pairs(plan: Plan, records: Records, results: list[ArmResult], verdicts: list[Verdict]) -> dict[str, Paired]:
    """Each arm's paired differences from the reference, at the level of its claim where it has one."""
    metric = plan.metrics[0]
    reference = values_of(plan, records, plan.reference, "final", metric)
    final = [v for v in verdicts if v.claim.stage == "final" and v.claim.metric == metric.name and v.claim.than == plan.reference]
    levels = {v.claim.better: v.result.level for v in final}
    pairs = {r.arm.name: paired(r.by_seed, reference, levels.get(r.arm.name, 1 - ALPHA)) for r in results if r.arm.name != plan.reference}
    return {name: pair for name, pair in pairs.items() if pair.n > 1}


def final_table(plan: Plan, results: list[ArmResult]) -> tuple[list[str], list[tuple[Arm, list[str]]]]:
    """Head and rows of the table of the final stage."""
    places, others = digits(plan.metrics[0]), plan.metrics[1:]
    fields = dict.fromkeys(name for arm in plan.arms for name in tuned(plan, arm))
    head = [
        capital(plan.scientific),
        *(["Chosen " + ", ".join(fields)] if fields else []),
        "n",
        "Mean",
        "sd",
        "95 % interval",
        "IQM",
        "Min",
        "Max",
    ]
    has_default = any(not math.isnan(r.default) for r in results)
    head += [f"{capital(m.title)}, %" if m.unit == "points" else capital(m.title) for m in others] + ["At default"] * has_default
    rows = []
    for r in results:
        values = list(r.by_seed.values())
        cells = [
            *([", ".join(short(v) for v in r.point.values()) or "–"] if fields else []),
            str(len(values)),
            fmt(r.mean, places),
            fmt(r.sd, places),
        ]
        cells += [f"{fmt(r.low, places)} to {fmt(r.high, places)}", fmt(r.iqm, places), fmt(min(values), places), fmt(max(values), places)]
        cells += [fmt(r.others[m.name], digits(m)) for m in others] + [fmt(r.default, places)] * has_default
        rows.append((r.arm, cells))
    return head, rows


def final_caption(plan: Plan, delta: float, images: int) -> str:
    """How the final stage was computed."""
    metric, seeds = plan.metrics[0], plan.seeds("final")
    noise = f" One test image is {100 / images:.2g} points; δ is the larger of {metric.delta:g} points and the binomial sd at the reference’s mean, {delta:.1f} points."
    chosen = (
        "Each arm ran as it is: nothing was tuned but what a trial chooses itself on its validation split"
        if plan.explore is None and not any(arm.search for arm in plan.running)
        else "Each arm ran at the point chosen in the confirm stage"
        if plan.explore is None
        else "The recipe ran as it is, the other at the point chosen in the confirm stage"
    )
    return (
        f"{chosen}, on seeds {seeds[0]} to {seeds[-1]}, and was scored on the test split once. "
        f"A seed fixes initialisation, data order, views, queue and probe, so that a difference is taken between two runs which differ in what makes the two arms, and in nothing else."
        f"{noise if images and metric.share_of_images else ''} In the table the further metrics are means of the same runs"
        + ("; “at default” is the library’s default point, one seed, validation split." if any(arm.search for arm in plan.running) else ".")
    )


def rate_title(plan: Plan, curves: list[RateCurve], delta: float) -> str:
    """Which arms the reported value suits."""
    metric, reported = plan.metrics[0], plan.replica.values.get(curves[0].name)
    lost: list[str] = []
    kept: list[str] = []
    for curve in curves:
        best = max((p.score for p in curve.points if p.kind in ("search", "added") and not math.isnan(p.score)), default=math.nan)
        at = next((p.score for p in curve.points if p.value == reported), None)
        if at is not None:
            (kept if not math.isnan(at) and best - at <= 5 * delta else lost).append(curve.arm.title)
    if not reported or not (kept or lost):
        return f"{capital(metric.title)} by learning rate: every search trial, one seed each"
    behind = f"{joined(lost)} {'falls' if len(lost) == 1 else 'fall'} more than 5 δ behind the best search trial" if lost else ""
    if not kept:
        return f"At {reported:g} {behind}"
    within = f"At {reported:g} {joined(kept)} {'stays' if len(kept) == 1 else 'stay'} within 5 δ of the best search trial"
    return f"{within}; {behind}" if lost else within


def rate(plan: Plan, records: Records) -> Section | None:
    """The search by learning rate."""
    curves, metric = rate_curves(plan, records), plan.metrics[0]
    if not curves:
        return None
    delta = delta_of(plan, records, metric)
    title = rate_title(plan, curves, delta)
    sub = f"{capital(metric.title)} on the validation split. n = 1 seed a trial, no interval; {plan.sizes.search_trials} search trials each."
    caption = (
        "Points are quasi-random on a log scale, the same scramble for all arms. Where an arm’s best trial was its outermost or lay in the outer tenth of its range, "
        f"{plan.sizes.added_trials} points were added beyond that edge; the same was allowed to all. The chosen point is the best mean of {plan.sizes.confirm_seeds} new seeds "
        f"among the top {plan.sizes.confirm_points} trials, which need not be the best single trial."
    )
    rows = [
        [c.arm.title, short(p.value), p.kind, "diverged" if math.isnan(p.score) else number(p.score, digits(metric))]
        for c in curves
        for p in c.points
    ]
    table = {
        "caption": f"Validation {metric.title}, one seed a trial",
        "head": [capital(plan.scientific), "lr", "Why tried", capital(metric.title)],
        "rows": rows,
    }
    return {
        "figure": frame("rate", title, sub, caption, table),
        "panels": rate_panels(plan, curves, delta),
        "within": f"within δ = {delta:.1f} {metric.unit} of the best",
    }


def ledger(plan: Plan, records: Records) -> Section:
    """The fairness ledger."""
    rows = fairness(plan, records)
    differing = [row.item for row in rows if row.differs]
    title = fairness_title(plan, rows)
    sub = "Counted from the records, not from the plan. " + (
        f"{len(differing)} row{'s differ' if len(differing) > 1 else ' differs'}: {', '.join(differing)}." if differing else "No row differs."
    )
    key, least = plan.collapse
    caption = f"Seconds a step exclude the first epoch of a run. A run has collapsed when its {key.replace('_', ' ')} is below {least:g}. “Its own” marks what is meant to differ."
    groups = [(group, list(found)) for group, found in groupby(rows, key=lambda row: row.group)]
    return {"figure": frame("fair", title, sub, caption), "groups": groups}


def loss(plan: Plan, records: Records) -> Section | None:
    """Whether the loss stands in for the metric that matters."""
    runs = loss_and_score(plan, records)
    panels = loss_panels(plan, runs)
    if not panels:
        return None
    tuned, metric = [run for run in runs if run.stage == "final"], plan.metrics[0]
    all_rank, tuned_rank = rank_correlation(runs), rank_correlation(tuned)
    if len(tuned) > 0 and sum(len(run.loss) for run in tuned) < FEW:
        title = f"Too few tuned runs to say how the loss ranks them; over all runs the correlation with {metric.title} is {fmt(all_rank, 2)}"
    elif math.isnan(tuned_rank):
        title = f"Over all runs the loss ranks {metric.title} with a correlation of {fmt(all_rank, 2)}"
    else:
        strength = "hardly" if abs(tuned_rank) < 0.4 else "backwards" if tuned_rank < 0 else "in part" if tuned_rank < 0.7 else "well"
        title = f"The loss ranks the tuned runs {strength}: correlation {number(tuned_rank, 2)}, against {number(all_rank, 2)} over all runs"
    rows = []
    for arm in plan.arms:
        by_stage = {run.stage: run for run in runs if run.arm.name == arm.name}
        cells = []
        for stage in ("final", "replica"):
            run = by_stage.get(stage)
            cells += [fmt(sum(run.loss) / len(run.loss), 2), fmt(sum(run.score) / len(run.score), 1)] if run else ["not run", "not run"]
        rows.append([arm.title, *cells, fmt(rank_correlation([by_stage["final"]]) if "final" in by_stage else math.nan, 2)])
    head = [
        capital(plan.scientific),
        "Loss, tuned",
        f"{metric.title}, tuned",
        f"Loss, {plan.replica.shown}",
        f"{metric.title}, {plan.replica.shown}",
        "Rank correlation within",
    ]
    count = sum(len(run.loss) for run in runs)
    sub = f"Final pretraining loss against test {metric.title}. n = {count} finished runs, of which {sum(len(run.loss) for run in tuned)} tuned; Spearman rank correlation, no interval."
    caption = "A correlation of 1 would mean that a lower loss always goes with a higher accuracy. Over all runs it is helped where a shared rate ruined some of them; among tuned runs it says whether the loss could choose between them."
    return {
        "figure": frame(
            "loss", title, sub, caption, {"caption": "Means by arm; the single runs are in the table of all runs", "head": head, "rows": rows}
        ),
        "panels": panels,
    }


def budget(plan: Plan, records: Records) -> Section | None:
    """What tuning buys."""
    panels: list[Panel] = budget_panels(plan, records, arm_results(plan, records))
    curves = {name: curve for name, curve in budget_curves(plan, records).items() if curve}
    if not panels:
        return None
    most, metric = min(len(curve) for curve in curves.values()), plan.metrics[0]
    one, last = ([curve[k] for curve in curves.values()] for k in (0, most - 1))
    title = f"With one trial the {plan.scientific}s lie {max(one) - min(one):.1f} {metric.unit} apart; with {most} they lie {max(last) - min(last):.1f} apart"
    sub = f"n = {most} search trials each, one search; no interval."
    caption = (
        f"Expected maximum of k trials drawn without replacement from the {most} (Tang et al. 2020), drawn only to k = {most}. A diverged trial counts as the worst of all. "
        f"The search was done once: its own luck is not measured. Not shown: importance of hyper-parameters, which needs at least 20 trials an arm; this study has {most}."
    )
    rows = [[str(k + 1), *(number(curve[k], digits(metric)) if k < len(curve) else "–" for curve in curves.values())] for k in range(most)]
    table = {
        "caption": f"Expected best validation {metric.title} after k trials",
        "head": ["k", *(plan.arm(name).title for name in curves)],
        "rows": rows,
    }
    return {"figure": frame("budget", title, sub, caption, table), "panels": panels}
