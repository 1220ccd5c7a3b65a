"""The fairness ledger: whether every arm had the same chance, counted from the records."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from study.analysis.arm_records import ArmRecords
from study.analysis.gates.claim_gates import is_collapsed
from study.analysis.gates.tuning import edge_distances
from study.analysis.summaries import chosen_words
from study.design.plan import Plan
from study.design.ranges import LogRange
from study.design.record import Record
from study.design.stages import EDGE
from study.text import format_short, join_words

DASH = "–"  # of an arm that has no such thing


class LedgerRow(NamedTuple):
    """One row of the fairness ledger."""

    group: str
    item: str
    cells: tuple[str, ...]  # by arm
    verdict: str  # the last column
    differs: bool = False  # whether the reader must weigh it
    must_be_equal: bool = False  # whether a difference makes the comparison unfair


def fairness_rows(results: ArmRecords) -> list[LedgerRow]:
    """All rows of the ledger."""
    plan = results.plan
    return [
        *budget_rows(results),
        *(tuning_rows(results) if plan.tunes else ()),
        *fixed_rows(plan),
        *failure_rows(results),
    ]


def fairness_title(plan: Plan, rows: list[LedgerRow]) -> str:
    """Whether the budgets were equal, and for whom."""
    every = f"very {plan.space.scientific}"
    if unequal := [row.item for row in rows if row.must_be_equal and row.differs]:
        return f"Not e{every} had the same budget: {', '.join(unequal)}"
    if plan.tunes:
        tuned = "" if all(arm.search for arm in plan.running) else " that is tuned"
        return f"E{every}{tuned} had the same trials, epochs, seeds and width of search"
    cells = next((row.cells for row in rows if row.item == "Epochs a run"), ())
    pairs = zip(plan.running, cells, strict=False)
    untrained = [arm.title for arm, cell in pairs if cell == DASH]
    if untrained and set(cells) != {DASH}:
        return f"E{every} had the same seeds, and all but {join_words(untrained)} the same epochs"
    return f"E{every} had the same epochs and seeds"


def budget_rows(results: ArmRecords) -> list[LedgerRow]:
    """Trials, epochs, steps and seconds."""
    plan = results.plan
    rows = []
    if plan.tunes:
        added = tuple(str(len(results.runs(arm.name, "added"))) for arm in plan.running)
        each = " a search" if plan.repeats else ""
        allowed = f"Points added at an edge, {plan.sizes.added_trials}{each} allowed"
        rows = [
            runs_row(results, "Search trials, quasi-random", "search"),
            LedgerRow("Budget", allowed, added, "same allowance"),
            *([] if plan.repeats else [runs_row(results, "Confirm runs", "confirm")]),
        ]
        if plan.repeats:
            searches = (
                str(len(results.chosen_points(arm)) if arm.search else DASH) for arm in plan.running
            )
            rows.insert(0, equal_row("Budget", "Searches", searches))
    rows.append(runs_row(results, "Final runs" if plan.repeats else "Final seeds", "final"))
    finals = [results.runs(arm.name, "final") for arm in plan.running]
    for item, key in (("Epochs a run", "epoch"), ("Steps a run", "step")):
        ends = ([run.curve[-1].get(key) for run in runs if run.curve] for runs in finals)
        rows.append(equal_row("Budget", item, map(value_range, ends)))
    seconds = [median_step_seconds(runs) for runs in finals]
    measured = [value for value in seconds if value > 0]
    gap = max(measured) / min(measured) - 1 if measured else 0.0
    cells = tuple(f"{value:.3f}" if value > 0 else DASH for value in seconds)
    verdict = f"within {100 * gap:.0f} %" if measured else DASH
    return [*rows, LedgerRow("Budget", "Seconds a step, median", cells, verdict, gap > 0.25)]


def runs_row(results: ArmRecords, item: str, stage: str) -> LedgerRow:
    """How many runs of a stage each arm has."""
    counts = (
        str(len(results.runs(arm.name, stage))) if stage == "final" or arm.search else DASH
        for arm in results.plan.running
    )
    return equal_row("Budget", item, counts)


def equal_row(group: str, item: str, cells: Iterable[str]) -> LedgerRow:
    """A row whose cells ought to be equal; a dash is of an arm that has no such thing."""
    cells = tuple(cells)
    differs = len(set(cells) - {DASH}) > 1
    equal = "equal where there is one" if DASH in cells else "equal"
    return LedgerRow(
        group,
        item,
        cells,
        verdict="differs" if differs else equal,
        differs=differs,
        must_be_equal=group in ("Budget", "Tuning"),
    )


def value_range(values: list[Any]) -> str:
    """One value, or the range of several."""
    known = sorted({value for value in values if value is not None})
    if not known:
        return DASH
    return f"{known[0]:,}" if len(known) == 1 else f"{known[0]:,} to {known[-1]:,}"


def median_step_seconds(runs: list[Record]) -> float:
    """Seconds a step without each run's first epoch; 0 where nothing is known."""
    seconds = [
        row["seconds"] / max(1, row["step"] - before["step"])
        for run in runs
        for before, row in zip(run.curve, run.curve[1:], strict=False)
        if "seconds" in row and "step" in row
    ]
    return float(np.median(seconds)) if seconds else 0.0


def tuning_rows(results: ArmRecords) -> list[LedgerRow]:
    """What was searched, over how many decades, and how far from an edge the choice lies."""
    arms = results.plan.running
    rows = [equal_row("Tuning", "Dimensions searched", (str(len(a.search) or DASH) for a in arms))]
    points = [list(results.chosen_points(arm).values()) for arm in arms]
    for name in dict.fromkeys(key for arm in arms for key in arm.search):
        spans = [arm.search.get(name) for arm in arms]
        ranges = (f"{format_short(s.low)} to {format_short(s.high)}" if s else DASH for s in spans)
        decades = (f"{span.decades:.1f}" if span else DASH for span in spans)
        chosen = (
            chosen_cell([point[name] for point in own if name in point], span)
            for own, span in zip(points, spans, strict=True)
        )
        rows += [
            LedgerRow("Tuning", f"{name}, range", tuple(ranges), "its own"),
            equal_row("Tuning", f"{name}, decades", decades),
            LedgerRow("Tuning", f"{name}, chosen", tuple(chosen), "its own"),
        ]
    edges = [edge_distances(results, arm.name) if arm.search else [] for arm in arms]
    needed = sorted({f"{EDGE * span.decades:.2g}" for arm in arms for span in arm.search.values()})
    ends = needed if len(needed) == 1 else [needed[0], needed[-1]]
    cells = tuple(f"{min(edge.decades for edge in own):.1f}" if own else DASH for own in edges)
    words = f"{' to '.join(ends)} needed"
    return [*rows, LedgerRow("Tuning", "Decades to the nearest edge", cells, words)]


def chosen_cell(values: list[float], span: LogRange | None) -> str:
    """What an arm's searches chose, and whether trials added at an edge led beyond the range."""
    outside = span and any(not span.low <= value <= span.high for value in values)
    return (chosen_words(values) or DASH) + (" (beyond its range)" if outside else "")


def fixed_rows(plan: Plan) -> list[LedgerRow]:
    """What is the same for all, and where arms differ by nature."""
    configs = [{**plan.config(arm, "final", point={})} for arm in plan.running]
    rows = []
    for item in dict.fromkeys(key for arm in plan.running for key in arm.ledger):
        cells = (
            arm.ledger.get(item, DASH).format(**config)
            for arm, config in zip(plan.running, configs, strict=True)
        )
        rows.append(equal_row("Fixed", item, cells))
    for field in plan.words.fixed:
        if all(field.name in config for config in configs):
            title = plan.words.title(field.name).capitalize()
            rows.append(
                equal_row("Fixed", title, (fixed_cell(plan, field.name, c) for c in configs))
            )
    return rows


def fixed_cell(plan: Plan, name: str, config: dict[str, Any]) -> str:
    """A field of an arm; a dash where its training does not read it."""
    if not plan.words.reads(name, config):
        return DASH
    return f"{config[name]:,}" if isinstance(config[name], int) else str(config[name])


def failure_rows(results: ArmRecords) -> list[LedgerRow]:
    """Diverged and collapsed runs."""
    plan = results.plan
    diverged = [
        sum(run.status == "diverged" for run in results.by_arm if run.arm == arm.name)
        for arm in plan.running
    ]
    cells = tuple(map(str, diverged))
    rows = [
        LedgerRow("Failures", "Diverged, of all runs", cells, "in no mean", len(set(cells)) > 1)
    ]
    if plan.space.collapse is None:
        return rows
    rows.append(collapse_row(results, "final", "Collapsed, of the final runs"))
    if any(arm.in_report for arm in plan.running) and plan.sizes.replica_seeds:
        shown = plan.space.replica.shown
        rows.append(collapse_row(results, "replica", f"Collapsed, of those at {shown}"))
    return rows


def collapse_row(results: ArmRecords, stage: str, item: str) -> LedgerRow:
    """How many runs of a stage collapsed."""
    by_arm = [results.runs(arm.name, stage) for arm in results.plan.running]
    cells = tuple(
        str(sum(is_collapsed(results.plan, run) for run in runs)) if runs else "not run"
        for runs in by_arm
    )
    differs = len(set(cells) - {"not run"}) > 1
    unequal = "replica only" if stage == "replica" else "differs"
    verdict = unequal if differs else "equal"
    return LedgerRow("Failures", item, cells, verdict, differs and stage == "final")
