"""The table of all runs."""

import math
import statistics
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from study.analysis.results import Results
from study.design.given_runs import GivenRuns
from study.design.plan import Plan
from study.design.record import Record
from study.design.space import Metric
from study.report.section import DASH, fmt
from study.text import capitalize, format_short

ORDER = ("final", "replica", "confirm", "search", "added", "beside")  # of stages in the table
SPLITS = (
    "Accuracies are of the test split in the stages final and replica, of the validation split "
    "otherwise."
)


class RunsTable(NamedTuple):
    """Every record, none left out."""

    title: str
    sub: str
    head: list[str]
    rows: list[list[str]]


def runs_table(results: Results) -> RunsTable:
    """Every record by stage, arm and seed."""
    plan, records = results.plan, results.records
    if plan.given:
        return given_table(plan, plan.given, records)
    metrics = [metric for metric in plan.space.metrics if metric.name != "loss"]
    fields = list(dict.fromkeys(name for arm in plan.space.arms for name in plan.tuned(arm)))
    arms = [arm.name for arm in (*plan.space.arms, *plan.space.controls)]

    def place(run: Record) -> tuple[int, int, int, str]:
        stage = ORDER.index(run.stage) if run.stage in ORDER else len(ORDER)
        return stage, arms.index(run.arm), run.seed, run.ended

    statuses = Counter(record.status for record in records)
    counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
    return RunsTable(
        title=f"{len(records)} runs, none left out: {counts or 'none yet'}",
        sub=runs_note(plan, records),
        head=runs_head(plan, fields, metrics),
        rows=[run_row(plan, run, fields, metrics) for run in sorted(records, key=place)],
    )


def given_table(plan: Plan, given: GivenRuns, records: list[Record]) -> RunsTable:
    """Every run that was given, in the order of its source."""
    metric, statuses = plan.space.primary, Counter(record.status for record in records)
    counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
    head = ["Row", capitalize(plan.space.scientific), capitalize(given.noun), "Status"]
    return RunsTable(
        title=f"{len(records)} runs: {counts}",
        sub=f"As {given.source} has them. Rows that do not count stand among the deviations.",
        head=[*head, f"{metric.title}, {metric.level_unit}"],
        rows=[
            [
                str(run.extra.get("row", DASH)),
                plan.title(run.arm),
                given.unit_name(run.seed),
                run.status,
                fmt(run.metric(metric.name) * metric.scale, metric.decimals),
            ]
            for run in records
        ],
    )


def runs_note(plan: Plan, records: list[Record]) -> str:
    """What the columns of the table hold."""
    seconds = statistics.median([run.seconds for run in records]) if records else 0
    collapse = ""
    if plan.space.collapse:
        key, least = plan.space.collapse
        collapse = f" {capitalize(plan.words.title(key))} below {least:g} counts as collapsed."
    return f"{SPLITS}{collapse} Median run {seconds:.1f} s."


def runs_head(plan: Plan, fields: Iterable[str], metrics: Iterable[Metric]) -> list[str]:
    """The heads of the columns."""
    scores = [f"{m.title}, %" if m.level_unit == "%" else m.title for m in metrics]
    collapse = [capitalize(plan.words.title(plan.space.collapse[0]))] if plan.space.collapse else []
    arm = capitalize(plan.space.scientific)
    return ["Trial", "Stage", arm, "Seed", *fields, "Status", "Loss", *scores, *collapse, "Seconds"]


def run_row(plan: Plan, run: Record, fields: Iterable[str], metrics: Iterable[Metric]) -> list[str]:
    """A record's cells."""
    loss = run.curve[-1]["loss"] if run.curve else math.nan
    scores = [fmt(run.metric(m.name) * m.scale, m.decimals) for m in metrics]
    collapse = [fmt(run.metric(plan.space.collapse[0]), 1)] if plan.space.collapse else []
    return [
        run.trial,
        run.stage,
        plan.title(run.arm),
        str(run.seed),
        *(format_short(run.point[name]) if name in run.point else DASH for name in fields),
        run.status,
        fmt(loss if math.isfinite(loss) else math.nan, 2),
        *scores,
        *collapse,
        f"{run.seconds:.1f}",
    ]
