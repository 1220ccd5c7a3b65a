"""The fairness ledger: whether every arm had the same chance, counted from the records."""

from typing import Any, NamedTuple

import numpy as np

from study.analysis.gates import collapsed, edge_distance, of_stage
from study.design.plan import Plan
from study.design.record import Record
from study.design.stages import EDGE, Records, chosen_point
from study.text import joined, short

READ_BY: dict[str, tuple[str, ...]] = {
    "frozen": (),
    "supervised": ("schedule", "batch_size"),
}  # by method, of the fields that the ledger shows


class LedgerRow(NamedTuple):
    """One row of the fairness ledger."""

    group: str
    item: str
    cells: tuple[str, ...]  # by arm
    verdict: str  # the last column
    differs: bool  # whether the reader must weigh it
    must_be_equal: bool = False  # whether a difference makes the comparison unfair


def fairness(plan: Plan, records: Records) -> list[LedgerRow]:
    """Whether every arm had the same chance, counted from the records."""
    rows = [counted(plan, records, "Final seeds", "final")]
    if any(arm.search for arm in plan.running):
        searched, confirmed = (
            counted(plan, records, label, stage)
            for label, stage in (
                ("Search trials, quasi-random", "search"),
                ("Confirm runs", "confirm"),
            )
        )
        added = tuple(str(len(of_stage(records, arm.name, "added"))) for arm in plan.running)
        allowed = f"Points added at an edge, {plan.sizes.added_trials} allowed"
        rows = [
            searched,
            LedgerRow("Budget", allowed, added, "same allowance", False),
            confirmed,
            *rows,
        ]
    for label, key in (("Epochs a run", "epoch"), ("Steps a run", "step")):
        cells = tuple(
            spread([r.curve[-1].get(key) for r in of_stage(records, arm.name, "final") if r.curve])
            for arm in plan.running
        )
        rows.append(equal_row("Budget", label, cells))
    speed = [median_step_seconds(of_stage(records, arm.name, "final")) for arm in plan.running]
    known = [value for value in speed if value > 0]
    gap = (max(known) / min(known) - 1) if known else 0.0
    rows.append(
        LedgerRow(
            "Budget",
            "Seconds a step, median",
            tuple(f"{s:.3f}" if s > 0 else "–" for s in speed),
            f"within {100 * gap:.0f} %" if known else "–",
            gap > 0.25,
        )
    )
    rows += tuning_rows(plan, records) + fixed_rows(plan) + failure_rows(plan, records)
    return rows


def fairness_title(plan: Plan, rows: list[LedgerRow]) -> str:
    """Whether the budgets were equal, and for whom."""
    unequal = [row.item for row in rows if row.must_be_equal and row.differs]
    if unequal:
        return f"Not every {plan.scientific} had the same budget: {', '.join(unequal)}"
    if any(arm.search for arm in plan.running):
        tuned = "" if all(arm.search for arm in plan.running) else " that is tuned"
        return (
            f"Every {plan.scientific}{tuned} had the same trials, epochs, seeds and width of search"
        )
    cells = next((row.cells for row in rows if row.item == "Epochs a run"), ())
    untrained = (
        [arm.title for arm, cell in zip(plan.running, cells, strict=False) if cell == "–"]
        if set(cells) != {"–"}
        else []
    )
    if untrained:
        return f"Every {plan.scientific} had the same seeds, and all but {joined(untrained)} the same epochs"
    return f"Every {plan.scientific} had the same epochs and seeds"


def counted(plan: Plan, records: Records, label: str, stage: str) -> LedgerRow:
    """How many runs of a stage each arm has."""
    counts = (
        str(len(of_stage(records, arm.name, stage))) if stage == "final" or arm.search else "–"
        for arm in plan.running
    )
    return equal_row("Budget", label, tuple(counts))


def equal_row(group: str, item: str, cells: tuple[str, ...]) -> LedgerRow:
    """A row whose cells ought to be equal; a dash is of an arm that has no such thing."""
    same = len(set(cells) - {"–"}) <= 1
    word = "equal where there is one" if "–" in cells else "equal"
    return LedgerRow(
        group,
        item,
        cells,
        word if same else "differs",
        not same,
        must_be_equal=group in ("Budget", "Tuning"),
    )


def spread(values: list[Any]) -> str:
    """One value, or the range of several."""
    found = sorted({value for value in values if value is not None})
    return (
        "–"
        if not found
        else f"{found[0]:,}"
        if len(found) == 1
        else f"{found[0]:,} to {found[-1]:,}"
    )


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
    arms = plan.running
    if not any(arm.search for arm in arms):
        return []
    rows = [
        equal_row(
            "Tuning", "Dimensions searched", tuple(str(len(arm.search) or "–") for arm in arms)
        )
    ]
    for name in dict.fromkeys(key for arm in arms for key in arm.search):
        spans = [arm.search.get(name) for arm in arms]
        rows.append(
            LedgerRow(
                "Tuning",
                f"{name}, range",
                tuple(f"{short(s.low)} to {short(s.high)}" if s else "–" for s in spans),
                "its own",
                False,
            )
        )
        rows.append(
            equal_row(
                "Tuning", f"{name}, decades", tuple(f"{s.decades:.1f}" if s else "–" for s in spans)
            )
        )
        points = [chosen_point(plan, arm, records) for arm in arms]
        rows.append(
            LedgerRow(
                "Tuning",
                f"{name}, chosen",
                tuple(short(p[name]) if p and name in p else "–" for p in points),
                "its own",
                False,
            )
        )
    gaps = [edge_distance(plan, arm.name, records) if arm.search else None for arm in arms]
    needed = sorted({f"{EDGE * span.decades:.2g}" for arm in arms for span in arm.search.values()})
    told = f"{' to '.join([needed[0], needed[-1]][: len(needed)])} needed"
    rows.append(
        LedgerRow(
            "Tuning",
            "Decades to the nearest edge",
            tuple(f"{gap[0]:.1f}" if gap else "–" for gap in gaps),
            told,
            False,
        )
    )
    return rows


def fixed_rows(plan: Plan) -> list[LedgerRow]:
    """What is the same for all, and where arms differ by nature."""
    rows = []
    for item in dict.fromkeys(key for arm in plan.running for key in arm.ledger):
        cells = (
            arm.ledger.get(item, "–").format(**{**plan.base, **plan.stages["final"], **arm.values})
            for arm in plan.running
        )
        rows.append(equal_row("Fixed", item, tuple(cells)))
    fields = {**plan.base, **plan.stages["final"]}
    for name in ("schedule", "batch_size", "queue_size", "temperature", "key_momentum"):
        if name in fields:
            told = tuple(fixed_cell(name, {**fields, **arm.values}) for arm in plan.running)
            rows.append(equal_row("Fixed", name.replace("_", " ").capitalize(), told))
    return rows


def fixed_cell(name: str, fields: dict[str, Any]) -> str:
    """A field of an arm; a dash where its method does not read it."""
    if name not in READ_BY.get(fields.get("method", ""), (name,)):
        return "–"
    return f"{fields[name]:,}" if isinstance(fields[name], int) else str(fields[name])


def failure_rows(plan: Plan, records: Records) -> list[LedgerRow]:
    """Diverged and collapsed runs."""
    every = {arm.name: [r for r in records.values() if r.arm == arm.name] for arm in plan.running}
    diverged = tuple(
        str(sum(r.status == "diverged" for r in every[arm.name])) for arm in plan.running
    )
    rows = [
        LedgerRow(
            "Failures", "Diverged, of all runs", diverged, "in no mean", len(set(diverged)) > 1
        )
    ]
    for stage, label in (
        ("final", "Collapsed, of the final runs"),
        ("replica", f"Collapsed, of those at {plan.replica.shown}"),
    ):
        if stage == "replica" and not any(arm.in_report for arm in plan.running):
            continue
        cells = tuple(
            str(sum(collapsed(plan, r) for r in of_stage(records, arm.name, stage)))
            if of_stage(records, arm.name, stage)
            else "not run"
            for arm in plan.running
        )
        numbers = {cell for cell in cells if cell != "not run"}
        rows.append(
            LedgerRow(
                "Failures",
                label,
                cells,
                "equal"
                if len(numbers) < 2
                else "replica only"
                if stage == "replica"
                else "differs",
                len(numbers) > 1 and stage == "final",
            )
        )
    return rows
