"""Tables of a study: flat frames of its records, and the numbers that figures and sentences are made of."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from study.compare import expected_best, interquartile_mean, t_interval
from study.files import write_atomically
from study.gates import collapsed, edge_distance, of_stage
from study.panel import short
from study.plan import Plan
from study.record import Record
from study.space import Arm
from study.stages import Records, chosen_point, score
from study.verdict import delta_of, values_of


def trials_frame(records: list[Record]) -> pd.DataFrame:
    """One row a record: its own columns, then the fields of its config and result."""
    rows = []
    for record in records:
        own = {
            name: getattr(record, name)
            for name in ("trial", "stage", "arm", "seed", "status", "why", "seconds", "device", "commit", "started", "ended", "error")
        }
        result = {f"result.{name}": value for name, value in record.result.items()}
        rows.append({**own, **{f"config.{name}": value for name, value in record.config.items()}, **result})
    return pd.DataFrame(rows)


def epochs_frame(records: list[Record]) -> pd.DataFrame:
    """One row an epoch of every record."""
    return pd.DataFrame([{"trial": r.trial, "stage": r.stage, "arm": r.arm, "seed": r.seed, **row} for r in records for row in r.curve])


def write_flat(folder: Path, records: list[Record]) -> None:
    """trials.csv and epochs.csv: the records for pandas and spreadsheets."""
    write_atomically(folder / "trials.csv", trials_frame(records).to_csv(index=False))
    write_atomically(folder / "epochs.csv", epochs_frame(records).to_csv(index=False))


class ArmResult(NamedTuple):
    """An arm's final stage in one metric, in its unit."""

    arm: Arm
    point: dict[str, Any]
    by_seed: dict[int, float]
    mean: float
    sd: float
    low: float  # 95 % t interval
    high: float
    iqm: float
    others: dict[str, float]  # means of the other metrics on the same runs
    default: float  # the primary metric at the library's default, validation, one seed; NaN if not run
    best: float  # the best search trial, likewise


def arm_results(plan: Plan, records: Records) -> list[ArmResult]:
    """The final stage of every arm that has one, best mean first."""
    metric = plan.metrics[0]
    found = []
    for arm in plan.arms:
        by_seed, point = values_of(plan, records, arm.name, "final", metric), chosen_point(plan, arm, records)
        if not by_seed or point is None:
            continue
        values = list(by_seed.values())
        low, high = t_interval(values)
        others = {m.name: mean_of(list(values_of(plan, records, arm.name, "final", m).values())) for m in plan.metrics[1:]}
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
        found.append(
            ArmResult(arm, point, by_seed, mean_of(values), sd, low, high, interquartile_mean(values), others,
                      beside(plan, records, arm, "default"), best_search(plan, records, arm))
        )  # fmt: skip
    return sorted(found, key=lambda result: -result.mean if metric.higher_is_better else result.mean)


def mean_of(values: list[float]) -> float:
    """The mean; NaN of nothing."""
    return float(np.mean(values)) if values else math.nan


def beside(plan: Plan, records: Records, arm: Arm, why: str) -> float:
    """The primary metric, in its unit, of the point beside the search; NaN if it did not finish."""
    metric = plan.metrics[0]
    point = arm.default if why == "default" else {name: plan.replica.values[name] for name in arm.search}
    found = [r for stage in ("beside", "search") for r in of_stage(records, arm.name, stage) if r.point == point]
    return found[0].metric(metric.name) * metric.scale if found else math.nan


def best_search(plan: Plan, records: Records, arm: Arm) -> float:
    """The primary metric, in its unit, of the arm's best search trial."""
    metric = plan.metrics[0]
    runs = of_stage(records, arm.name, "search")
    return max(runs, key=lambda r: score(plan, r)).metric(metric.name) * metric.scale if runs else math.nan


class RatePoint(NamedTuple):
    """One trial of the learning-rate figure."""

    value: float  # of the tuned parameter
    score: float  # primary metric in its unit, validation; NaN: diverged
    kind: str  # search, added, default, as reported
    chosen: bool


class RateCurve(NamedTuple):
    """An arm's trials by its tuned parameter."""

    arm: Arm
    name: str  # of the parameter
    low: float  # of what was explored
    high: float
    points: tuple[RatePoint, ...]  # ascending
    good: tuple[float, float]  # from the lowest to the highest value within delta of the best
    chosen: float  # NaN while nothing is chosen


def rate_curves(plan: Plan, records: Records) -> list[RateCurve]:
    """The search of every arm along its first tuned parameter."""
    metric = plan.metrics[0]
    delta = delta_of(plan, records, metric)
    curves = []
    for arm in plan.arms:
        if not arm.search:
            continue
        name, span = next(iter(arm.search.items()))
        chosen = (chosen_point(plan, arm, records) or {}).get(name, math.nan)
        runs = [r for stage in ("search", "added", "beside") for r in of_stage(records, arm.name, stage)]
        points = sorted(
            RatePoint(r.point[name], r.metric(metric.name) * metric.scale, r.why or r.stage, r.point[name] == chosen and r.stage != "beside")
            for r in runs
        )
        tried = [p for p in points if p.kind in ("search", "added")]
        finished = [p for p in tried if not math.isnan(p.score)]
        if not finished:
            continue
        best = max(p.score for p in finished)
        near = [p.value for p in finished if p.score >= best - delta]
        low, high = min([span.low, *(p.value for p in tried)]), max([span.high, *(p.value for p in tried)])
        curves.append(RateCurve(arm, name, low, high, tuple(points), (min(near), max(near)), chosen))
    return curves


class Runs(NamedTuple):
    """Loss and primary metric of an arm's runs in a stage."""

    arm: Arm
    stage: str
    loss: tuple[float, ...]
    score: tuple[float, ...]


def loss_and_score(plan: Plan, records: Records) -> list[Runs]:
    """Finished replica and final runs: their loss against the primary metric."""
    metric = plan.metrics[0]
    found = []
    for stage in ("replica", "final"):
        for arm in plan.arms:
            runs = [r for r in of_stage(records, arm.name, stage) if r.status == "finished"]
            if runs:
                found.append(Runs(arm, stage, tuple(r.metric("loss") for r in runs), tuple(r.metric(metric.name) * metric.scale for r in runs)))
    return found


def rank_correlation(runs: list[Runs]) -> float:
    """Spearman's correlation of a lower loss with a higher score over these runs; NaN for fewer than three."""
    loss = [-value for run in runs for value in run.loss]
    scores = [value for run in runs for value in run.score]
    if len(loss) < 3 or len(set(loss)) < 2 or len(set(scores)) < 2:
        return math.nan
    return float(stats.spearmanr(loss, scores).statistic)


def curves_of(plan: Plan, records: Records, arm: str, stage: str, key: str = "loss") -> dict[int, list[float]]:
    """An epoch's number by seed, of the runs of a stage that finished."""
    return {r.seed: [float(row[key]) for row in r.curve] for r in of_stage(records, arm, stage) if r.status == "finished"}


def budget_curves(plan: Plan, records: Records) -> dict[str, list[float]]:
    """Expected best primary metric, in its unit, after k search trials, by arm; a trial without a result counts as the worst of all."""
    metric = plan.metrics[0]
    searched = {arm.name: of_stage(records, arm.name, "search") for arm in plan.arms}
    finished = [r.metric(metric.name) * metric.scale for runs in searched.values() for r in runs if r.status == "finished"]
    if not finished:
        return {}
    floor = min(finished)
    values = {name: [r.metric(metric.name) * metric.scale if r.status == "finished" else floor for r in runs] for name, runs in searched.items()}
    return {name: expected_best(found) for name, found in values.items() if found}


class LedgerRow(NamedTuple):
    """One row of the fairness ledger."""

    group: str
    item: str
    cells: tuple[str, ...]  # by arm
    verdict: str  # the last column
    differs: bool  # whether the reader must weigh it


def fairness(plan: Plan, records: Records) -> list[LedgerRow]:
    """Whether every arm had the same chance, counted from the records."""
    rows = [
        counted(plan, records, label, stage)
        for label, stage in (("Search trials, quasi-random", "search"), ("Confirm runs", "confirm"), ("Final seeds", "final"))
    ]
    added = tuple(str(len(of_stage(records, arm.name, "added"))) for arm in plan.arms)
    rows.insert(1, LedgerRow("Budget", f"Points added at an edge, {plan.sizes.added_trials} allowed", added, "same allowance", False))
    for label, key in (("Epochs a run", "epoch"), ("Steps a run", "step")):
        cells = tuple(spread([r.curve[-1].get(key) for r in of_stage(records, arm.name, "final") if r.curve]) for arm in plan.arms)
        rows.append(equal_row("Budget", label, cells))
    speed = [median_step_seconds(of_stage(records, arm.name, "final")) for arm in plan.arms]
    known = [value for value in speed if value > 0]
    gap = (max(known) / min(known) - 1) if known else 0.0
    rows.append(
        LedgerRow("Budget", "Seconds a step, median", tuple(f"{s:.3f}" if s > 0 else "–" for s in speed), f"within {100 * gap:.0f} %", gap > 0.25)
    )
    rows += tuning_rows(plan, records) + fixed_rows(plan) + failure_rows(plan, records)
    return rows


def counted(plan: Plan, records: Records, label: str, stage: str) -> LedgerRow:
    """How many runs of a stage each arm has."""
    return equal_row("Budget", label, tuple(str(len(of_stage(records, arm.name, stage))) for arm in plan.arms))


def equal_row(group: str, item: str, cells: tuple[str, ...]) -> LedgerRow:
    """A row whose cells ought to be equal."""
    same = len(set(cells)) == 1
    return LedgerRow(group, item, cells, "equal" if same else "differs", not same)


def spread(values: list[Any]) -> str:
    """One value, or the range of several."""
    found = sorted({value for value in values if value is not None})
    return "–" if not found else f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"


def median_step_seconds(runs: list[Record]) -> float:
    """Seconds a step without each run's first epoch; 0 where nothing is known."""
    found = []
    for run in runs:
        for before, row in zip(run.curve, run.curve[1:], strict=False):
            if "seconds" in row and "step" in row:
                found.append(row["seconds"] / max(1, row["step"] - before["step"]))
    return float(np.median(found)) if found else 0.0


def tuning_rows(plan: Plan, records: Records) -> list[LedgerRow]:
    """What was searched, over how many decades, and how far from an edge the choice lies."""
    arms = plan.arms
    rows = [equal_row("Tuning", "Dimensions searched", tuple(str(len(arm.search)) for arm in arms))]
    for name in dict.fromkeys(key for arm in arms for key in arm.search):
        spans = [arm.search.get(name) for arm in arms]
        rows.append(LedgerRow("Tuning", f"{name}, range", tuple(f"{short(s.low)} to {short(s.high)}" if s else "–" for s in spans), "its own", False))
        rows.append(equal_row("Tuning", f"{name}, decades", tuple(f"{s.decades:.1f}" if s else "–" for s in spans)))
        points = [chosen_point(plan, arm, records) for arm in arms]
        rows.append(LedgerRow("Tuning", f"{name}, chosen", tuple(short(p[name]) if p and name in p else "–" for p in points), "its own", False))
    gaps = [edge_distance(plan, arm.name, records) for arm in arms]
    rows.append(LedgerRow("Tuning", "Decades to the nearest edge", tuple(f"{gap[0]:.1f}" if gap else "–" for gap in gaps), "0.3 needed", False))
    return rows


def fixed_rows(plan: Plan) -> list[LedgerRow]:
    """What is the same for all, and where arms differ by nature."""
    rows = []
    for item in dict.fromkeys(key for arm in plan.arms for key in arm.ledger):
        rows.append(equal_row("Fixed", item, tuple(arm.ledger.get(item, "–") for arm in plan.arms)))
    fields = {**plan.base, **plan.stages["final"], **plan.overrides}
    for name in ("schedule", "batch_size", "queue_size", "temperature", "key_momentum"):
        if name in fields:
            value = fields[name]
            rows.append(
                equal_row("Fixed", name.replace("_", " ").capitalize(), (f"{value:,}" if isinstance(value, int) else str(value),) * len(plan.arms))
            )
    return rows


def failure_rows(plan: Plan, records: Records) -> list[LedgerRow]:
    """Diverged and collapsed runs."""
    every = {arm.name: [r for r in records.values() if r.arm == arm.name] for arm in plan.arms}
    diverged = tuple(str(sum(r.status == "diverged" for r in every[arm.name])) for arm in plan.arms)
    rows = [LedgerRow("Failures", "Diverged, of all runs", diverged, "in no mean", len(set(diverged)) > 1)]
    for stage, label in (("final", "Collapsed, of the final runs"), ("replica", f"Collapsed, of those at {plan.replica.shown}")):
        cells = tuple(
            str(sum(collapsed(plan, r) for r in of_stage(records, arm.name, stage))) if of_stage(records, arm.name, stage) else "not run"
            for arm in plan.arms
        )
        numbers = {cell for cell in cells if cell != "not run"}
        rows.append(
            LedgerRow(
                "Failures",
                label,
                cells,
                "equal" if len(numbers) < 2 else "replica only" if stage == "replica" else "differs",
                len(numbers) > 1 and stage == "final",
            )
        )
    return rows
