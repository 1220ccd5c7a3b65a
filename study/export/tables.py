"""The tables of a paper, as LaTeX and as CSV: the final stage, and the claims."""

import csv
import io
from typing import NamedTuple

from study.analysis.results import Results
from study.analysis.verdict import Verdict
from study.report.section import DASH
from study.report.sections.final_result import final_section
from study.report.wording import format_interval, format_p, format_percent, format_signed

ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$",
    "δ": r"$\delta$", "±": r"$\pm$", "≥": r"$\geq$", "–": "--", "’": "'", "“": "``", "”": "''",
    "<": r"\textless{}", ">": r"\textgreater{}", "²": r"$^2$", "…": r"\ldots{}", "×": r"$\times$",
}  # fmt: skip


class PaperTable(NamedTuple):
    """A table with its caption."""

    name: str
    caption: str
    head: list[str]
    rows: list[list[str]]


def paper_tables(results: Results) -> list[PaperTable]:
    """The final stage as the page has it, and every claim with its interval."""
    return [*final_tables(results), claims_table(results)]


# what a claim rests on, by its role; else its stage
ROLE_STAGES = {"published": "as published", "replica": "replica, with seeds"}


def final_tables(results: Results) -> list[PaperTable]:
    """The final stage, with the cells of the page; none before it has ended for any arm."""
    section = final_section(results)
    if section is None:
        return []
    rows = [[row.arm.title, *row.cells] for row in section.rows]
    rows += [[f"{row.arm.title} (control)", *row.cells] for row in section.controls]
    return [PaperTable("final", f"{section.caption}.", section.head, rows)]


def claims_table(results: Results) -> PaperTable:
    """Every claim: the difference, its interval, n, p and label."""
    verdicts = results.verdicts
    levels = sorted({one.result.level for one in verdicts})
    caption = (
        "Claims and their differences, turned so that positive favours the claim, with "
        f"{' and '.join(map(format_percent, levels))} % intervals"
        f"{', as each row says' if len(levels) > 1 else ''}."
    )
    head = ["Claim", "Stage", "Metric", "Difference", "Interval", "n", "p", "Label"]
    return PaperTable("claims", caption, head, [claim_cells(results, one) for one in verdicts])


def claim_cells(results: Results, verdict: Verdict) -> list[str]:
    """A claim's row."""
    claim, result = verdict.claim, verdict.result
    metric = results.plan.space.metric(claim.metric)
    has_interval = result.has_interval
    apart = len({one.result.level for one in results.verdicts}) > 1
    level = f" ({format_percent(result.level)} %)" if apart else ""
    return [
        f"{results.plan.title(claim.better)} over {results.plan.title(claim.than)}",
        ROLE_STAGES.get(claim.role, claim.stage),
        metric.title,
        f"{format_signed(result.mean, metric)} {metric.unit}" if result.n else DASH,
        f"{format_interval(verdict, metric)}{level}" if has_interval else DASH,
        str(result.n),
        format_p(verdict.p) if has_interval else DASH,
        verdict.title,
    ]


def escape(text: str) -> str:
    """A text as LaTeX takes it."""
    return "".join(ESCAPES.get(letter, letter) for letter in text)


def latex_table(table: PaperTable) -> str:
    """A table with booktabs."""
    columns = "l" + "r" * (len(table.head) - 1)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\resizebox{\linewidth}{!}{%",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(map(escape, table.head)) + r" \\",
        r"\midrule",
        *(" & ".join(map(escape, row)) + r" \\" for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def csv_table(table: PaperTable) -> str:
    """A table for spreadsheets and pandas, with an ASCII minus."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.head)
    writer.writerows([[cell.replace("−", "-") for cell in row] for row in table.rows])
    return text.getvalue()


def levels_csv(results: Results) -> str:
    """Every arm's and control's value of every metric by seed or search, unrounded."""
    text, unit = io.StringIO(), results.plan.unit("final")
    writer = csv.writer(text, lineterminator="\n")
    plan = results.plan
    writer.writerow(["arm", "kind", unit, "metric", "value", "unit"])
    arms = [(one.arm, "arm", "final") for one in results.arms]
    for arm, kind, stage in [*arms, *((one, "control", "control") for one in plan.controls)]:
        for metric in plan.space.metrics:
            for number, value in results.values(arm.name, stage, metric).items():
                name = plan.given.unit_name(number) if plan.given else number
                row = [arm.title, kind, name, metric.name, repr(value), metric.level_unit]
                writer.writerow(row)
    return text.getvalue()
