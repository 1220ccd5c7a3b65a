"""The page's figures with their frames: title, subtitle, panels, caption and the table behind each."""

from itertools import groupby

from study.analysis.fairness import fairness, fairness_title
from study.design.plan import Plan
from study.design.stages import Records
from study.report.section import Section, frame


def ledger(plan: Plan, records: Records) -> Section:
    """The fairness ledger."""
    rows = fairness(plan, records)
    differing = [row.item for row in rows if row.differs]
    title = fairness_title(plan, rows)
    sub = "Counted from the records, not from the plan. " + (
        f"{len(differing)} row{'s differ' if len(differing) > 1 else ' differs'}: {', '.join(differing)}."
        if differing
        else "No row differs."
    )
    key, least = plan.collapse
    caption = f"Seconds a step exclude the first epoch of a run. A run has collapsed when its {key.replace('_', ' ')} is below {least:g}. “Its own” marks what is meant to differ."
    groups = [(group, list(found)) for group, found in groupby(rows, key=lambda row: row.group)]
    return {"figure": frame("fair", title, sub, caption), "groups": groups}
