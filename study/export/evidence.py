"""Published studies as text, figures and pages: results.md, figures/ and pages/.

Nothing in them is written by hand; the same records give the same bytes. Matplotlib draws the
figures.
"""

import shlex
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from study.analysis.verdict import Verdict
from study.design.space import Reported, Space
from study.export.standing import origin_line, standing_table
from study.export.tables import PaperTable, paper_tables
from study.figures.panel import Panel
from study.figures.paper import save_panel
from study.figures.style import arm_styles
from study.report.answer import answer_itself, published_sentence, replica_sentence, setting_words
from study.report.drawing import arm_titles
from study.report.folder import StudyFolder, read_folder
from study.report.levels import level_sentence
from study.report.page import render_page
from study.report.provenance.threats import threat_lines
from study.report.remedies import what_would_change
from study.report.section import DASH
from study.report.sections.final_result import final_section
from study.report.sections.published_numbers import our_number, setup_difference
from study.report.wording import failed_reasons
from study.store.atomic import write_atomically
from study.text import capitalize, join_words

HEAD = """# Results

What the published studies say, written by `make results` from [their records](records/README.md):
nothing here is written by hand, and undecided and negative answers stand like the others.
[How a study answers](statistics.md) and [what the labels mean](page.md#the-labels) are said
elsewhere; [one table](records/TABLE.md) has every claim. An answer is about its data, its sizes and
its budget, which stand with it.
"""
REPORT_HEAD = """## The report of 2020, number by number

Printed: one run each, no interval. Ours: mean, 95 % t interval and n on the test split of the study
that is named. Two numbers from different set-ups are no test of each other; the last column says
what differs, and of rows that are not run which command gives the number.
"""
REPORT_COLUMNS = ("Row", "What", "Printed", "Ours", "Study", "What differs")
FIGURE_WIDTH = 5.0  # inches
GATES_PASSED = "All gates of its primary claim passed."


def write_evidence(records: Path, docs: Path, spaces: Mapping[str, Space]) -> None:
    """Write what the studies below a folder say.

    Args:
        spaces: those that may have rows of the report, by name, in the order of the text.

    Raises:
        StudyError: a folder holds no study, or its records are damaged.
        OSError: a file cannot be written.
    """
    order = list(spaces)
    found = [read_folder(file.parent) for file in sorted(records.glob("*/study.json"))]
    found.sort(key=lambda one: (order.index(one.results.plan.space.name), -cost(one), one.name))
    parts = [HEAD]
    for name, own in groupby(found, key=lambda one: one.results.plan.space.name):
        parts += [f"## {spaces[name].question}\n", *(study_part(one) for one in own)]
    parts.append(report_part(found, spaces))
    for name in ("pages", "figures"):
        (docs / name).mkdir(exist_ok=True)
    for one in found:
        page = render_page(one, interactive=False)
        write_atomically(docs / "pages" / f"{one.name}.html", page)
        draw_figure(one, docs / "figures" / one.name)
    write_atomically(docs / "results.md", "\n".join(parts))
    write_atomically(records / "TABLE.md", standing_table(found))


def cost(one: StudyFolder) -> float:
    """Seconds of all its trials: the larger study of a question comes first."""
    return sum(record.seconds for record in one.results.records)


def draw_figure(one: StudyFolder, stem: Path) -> None:
    """Draw the panels of the final stage, as SVG alone; nothing where no arm has ended."""
    plan = one.results.plan
    for number, panel in enumerate(final_panels(one), start=1):
        place = stem.with_name(f"{stem.name}-{number}")
        save_panel(
            panel, arm_styles(plan), arm_titles(plan), place, kinds=("svg",), width=FIGURE_WIDTH
        )


def final_panels(one: StudyFolder) -> tuple[Panel, ...]:
    """The accuracies of the final stage, and the differences; none where no arm has ended."""
    section = final_section(one.results)
    return section.panels if section else ()


def study_part(one: StudyFolder) -> str:
    """A study's answer, its figures and tables, and what the answer is not."""
    results, plan = one.results, one.results.plan
    primary = results.verdict("primary")
    lines = [f"### {capitalize(setting_words(plan))}", ""]
    lines += [f"**{' '.join(answer_itself(results))}** {level_sentence(results)}".strip(), ""]
    replica = replica_sentence(plan, results.verdict("replica"))
    published = published_sentence(plan, results.verdict("published"))
    published = published and f"As published the claim is not testable: {published}"
    if report := " ".join(filter(None, (replica, published))):
        lines += [report, ""]
    for number, panel in enumerate(final_panels(one), start=1):
        lines += [f"![{panel.title}: {panel.finding}](figures/{one.name}-{number}.svg)", ""]
    for table in paper_tables(results):
        lines += [*markdown_table(table), ""]
    lines += [f"* {gate_words(primary)}"] if primary else []
    lines += [f"* What would change it: {what_would_change(plan, primary)}"] if primary else []
    lines += [f"* What it is not: {' '.join(threat_lines(results))}"]
    lines += [f"* Made by: {made_words(one)}", ""]
    return "\n".join(lines)


def gate_words(verdict: Verdict) -> str:
    """Which gates passed."""
    if not verdict.failed_gates:
        return GATES_PASSED
    failed = join_words([gate.name for gate in verdict.failed_gates])
    return f"Gates that failed: {failed}. {capitalize(failed_reasons(verdict))}."


def made_words(one: StudyFolder) -> str:
    """What made a study, and the command that makes it again."""
    origin = origin_line(one).replace(
        f"[{one.name}]({one.name}/)", f"[{one.name}](records/{one.name}/study.json)"
    )
    command = shlex.join(one.file.about.command)
    return (
        f"{origin} `{one.file.about.program} {command}`. [The whole page](pages/{one.name}.html)."
    )


def markdown_table(table: PaperTable) -> list[str]:
    """A table's lines, its caption above it."""
    rows = [table.head, ["---"] * len(table.head), *table.rows]
    cells = [[cell.replace("|", "/").replace("<", "&lt;") for cell in row] for row in rows]
    return [table.caption, "", *(f"| {' | '.join(row)} |" for row in cells)]


def report_part(found: Sequence[StudyFolder], spaces: Mapping[str, Space]) -> str:
    """The report's numbers, and ours beside them or the command that gives them."""
    rows: list[list[str]] = []
    for name, space in spaces.items():
        own = [one for one in found if one.results.plan.space.name == name]
        for row in space.reported if space.rows.startswith("R") else ():
            cells = [our_row(one, row) for one in own] or [missing_row(name, row)]
            rows += [one for one in cells if one not in rows]
    rows.sort(key=lambda cells: int(cells[0][1:]) if cells[0][1:].isdigit() else 99)
    table = PaperTable("report", REPORT_HEAD, list(REPORT_COLUMNS), rows)
    return "\n".join([*markdown_table(table), ""])


def our_row(one: StudyFolder, row: Reported) -> list[str]:
    """A row of the report with a study's number."""
    differs = setup_difference(one.results.plan, row)
    differs = full_command(one.results.plan.space.name, row) if differs == DASH else differs
    ours = our_number(one.results, row) if row.metric else "not published: its runs left no maps"
    return [row.row, row.what, row.number, ours, f"[{one.name}](pages/{one.name}.html)", differs]


def missing_row(space: str, row: Reported) -> list[str]:
    """A row of the report for which no study is published."""
    return [row.row, row.what, row.number, "not run", DASH, full_command(space, row)]


def full_command(space: str, row: Reported) -> str:
    """The command that gives a number where its data and weights are."""
    data = f" --dataset {row.dataset}" if row.dataset else ""
    return f"`python run_study.py --space {space} --profile full{data}`"
