"""The page's section on fairness: the ledger of what every arm was given."""

from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from study.analysis.fairness import LedgerRow, fairness_rows, fairness_title
from study.analysis.results import Results
from study.design.plan import Plan
from study.report.section import Figure, Section


class LedgerGroup(NamedTuple):
    """Rows of the ledger under one heading."""

    title: str
    rows: list[LedgerRow]


@dataclass(frozen=True, kw_only=True)
class FairnessSection(Section):
    """The fairness ledger."""

    groups: list[LedgerGroup]

    @property
    def count(self) -> int:
        """Rows of all groups."""
        return sum(len(group.rows) for group in self.groups)


def fairness_section(results: Results) -> FairnessSection:
    """The fairness ledger."""
    rows = fairness_rows(results)
    grouped = groupby(rows, key=lambda row: row.group)
    return FairnessSection(
        figure=Figure(
            id="fair",
            title=fairness_title(results.plan, rows),
            sub=f"Counted from the records, not from the plan. {differing_words(rows)}",
            caption=caption(results.plan),
        ),
        groups=[LedgerGroup(title, list(members)) for title, members in grouped],
    )


def differing_words(rows: list[LedgerRow]) -> str:
    """Which rows the reader must weigh."""
    differing = [row.item for row in rows if row.differs]
    if not differing:
        return "No row differs."
    verb = "row differs" if len(differing) == 1 else "rows differ"
    return f"{len(differing)} {verb}: {', '.join(differing)}."


def caption(plan: Plan) -> str:
    """How the rows were counted."""
    sentences = ["Seconds a step exclude the first epoch of a run."]
    if plan.space.collapse is not None:
        key, least = plan.space.collapse
        sentences.append(
            f"A run has collapsed when its {plan.words.title(key)} is below {least:g}."
        )
    return " ".join([*sentences, "“Its own” marks what is meant to differ."])
