"""The page's figures with their frames: title, subtitle, panels, caption and the table behind each."""

import math

from study.analysis.summaries import Runs, loss_and_score, rank_correlation
from study.design.plan import Plan
from study.design.stages import Records
from study.figures.panel import Axis, Line, Mark, Panel, Points, padded, ticks
from study.report.section import Section, fmt, frame
from study.text import capital, number

FEW = 20  # tuned runs, below which their rank correlation says nothing


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
        title = (
            f"Over all runs the loss ranks {metric.title} with a correlation of {fmt(all_rank, 2)}"
        )
    else:
        strength = (
            "hardly"
            if abs(tuned_rank) < 0.4
            else "backwards"
            if tuned_rank < 0
            else "in part"
            if tuned_rank < 0.7
            else "well"
        )
        title = f"The loss ranks the tuned runs {strength}: correlation {number(tuned_rank, 2)}, against {number(all_rank, 2)} over all runs"
    rows = []
    for arm in plan.arms:
        by_stage = {run.stage: run for run in runs if run.arm.name == arm.name}
        cells = []
        for stage in ("final", "replica"):
            run = by_stage.get(stage)
            cells += (
                [fmt(sum(run.loss) / len(run.loss), 2), fmt(sum(run.score) / len(run.score), 1)]
                if run
                else ["not run", "not run"]
            )
        rows.append(
            [
                arm.title,
                *cells,
                fmt(rank_correlation([by_stage["final"]]) if "final" in by_stage else math.nan, 2),
            ]
        )
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
            "loss",
            title,
            sub,
            caption,
            {
                "caption": "Means by arm; the single runs are in the table of all runs",
                "head": head,
                "rows": rows,
            },
        ),
        "panels": panels,
    }


def loss_panels(plan: Plan, runs: list[Runs]) -> list[Panel]:
    """Final loss against the primary metric: all runs, and the tuned ones with their means."""
    final = [run for run in runs if run.stage == "final"]
    metric = plan.metrics[0]
    panels = []
    for key, title, chosen in (
        ("loss-all", "All {n} runs", runs),
        ("loss-tuned", "The {n} tuned runs", final),
    ):
        if sum(len(run.loss) for run in chosen) < 3 or (
            key == "loss-tuned" and len(final) == len(runs)
        ):
            continue
        count, rank = sum(len(run.loss) for run in chosen), rank_correlation(chosen)
        x_low, x_high = padded([v for run in chosen for v in run.loss])
        y_low, y_high = padded([v for run in chosen for v in run.score])
        marks: list[Mark] = []
        for run in chosen:
            told = tuple(
                f"{run.arm.title}, {run.stage}: loss {a:.2f}, {b:.1f}"
                for a, b in zip(run.loss, run.score, strict=True)
            )
            marks.append(
                Points(
                    run.arm.name,
                    "dot" if run.stage == "final" else "hollow",
                    run.loss,
                    run.score,
                    told,
                )
            )
            if key == "loss-tuned":
                mean = (sum(run.loss) / len(run.loss),), (sum(run.score) / len(run.score),)
                marks.append(Points(run.arm.name, "mean", *mean, (f"{run.arm.title}, mean",)))
                marks.append(
                    Line(
                        run.arm.name,
                        (mean[0][0], x_high),
                        (mean[1][0],) * 2,
                        thin=True,
                        end=run.arm.title,
                    )
                )
        correlation = (
            f"rank correlation {number(rank, 2)}"
            if not math.isnan(rank)
            else "too few runs for a rank correlation"
        )
        note = (
            f"large marks: means, their level drawn out to the name; {correlation}"
            if key == "loss-tuned"
            else f"solid: tuned; hollow: {plan.replica.shown}; {correlation}"
        )
        unit = "%" if metric.unit == "points" else metric.unit
        panels.append(
            Panel(key, title.format(n=count), note, f"{count} runs, {correlation} of a lower loss with a higher {metric.title}.",
                  Axis(x_low, x_high, ticks(x_low, x_high), "final loss, nats"), Axis(y_low, y_high, ticks(y_low, y_high), f"test {metric.title}, {unit}"), tuple(marks), 320, right=84 if key == "loss-tuned" else 16)
        )  # fmt: skip
    return panels
