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
        f"Claims and their differences, turned so that positive favours the claim, with "
        f"{' and '.join(map(format_percent, levels))} % intervals."
    )
    head = ["Claim", "Stage", "Metric", "Difference", "Interval", "n", "p", "Label"]
    return PaperTable("claims", caption, head, [claim_cells(results, one) for one in verdicts])


def claim_cells(results: Results, verdict: Verdict) -> list[str]:
    """A claim's row."""
    claim, result = verdict.claim, verdict.result
    metric = results.plan.space.metric(claim.metric)
    has_interval = result.has_interval
    return [
        f"{results.plan.title(claim.better)} over {results.plan.title(claim.than)}",
        claim.stage,
        metric.title,
        f"{format_signed(result.mean, metric)} {metric.unit}" if result.n else DASH,
        format_interval(verdict, metric) if has_interval else DASH,
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
    """Every arm's and control's value by seed or search, unrounded."""
    text, unit = io.StringIO(), results.plan.unit("final")
    writer = csv.writer(text, lineterminator="\n")
    metric = results.plan.space.primary
    writer.writerow(["arm", unit, metric.name, "unit"])
    for one in results.arms:
        for number, value in one.by_unit.items():
            writer.writerow([one.arm.title, number, repr(value), metric.level_unit])
    return text.getvalue()
