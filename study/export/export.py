"""Write a study for a paper: LaTeX, CSV, figures."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from study.analysis.results import Results
from study.errors import StudyError, why
from study.export.paragraphs import BIBTEX, deviations_paragraph, methods_paragraph
from study.export.tables import csv_table, escape, latex_table, levels_csv, paper_tables
from study.figures.style import arm_styles
from study.report.drawing import arm_titles
from study.report.page import list_panels, make_sections
from study.search.quasi_random import sobol_points
from study.store.atomic import write_atomically
from study.store.environment import program_version
from study.store.ledger import read_records
from study.store.study_file import StudyFile, read_study


class Exported(NamedTuple):
    """A study that is written for a paper."""

    results: Results
    study: StudyFile
    folder: Path  # of the study
    to: Path


def export_study(folder: Path, kind: str, to: Path) -> list[Path]:
    """Write a study's tables, paragraphs or figures; the files.

    Args:
        kind: one of KINDS.

    Raises:
        StudyError: the folder holds no study, the kind is none, or nothing can be written.
    """
    if kind not in KINDS:
        raise StudyError(f"--export must be one of {', '.join(KINDS)}; got {kind!r}")
    study = read_study(folder, sobol_points)
    one = Exported(Results(study.plan, read_records(folder)), study, folder, to)
    try:
        to.mkdir(parents=True, exist_ok=True)
        return KINDS[kind](one)
    except OSError as error:
        raise StudyError(
            f"{to} must be a folder that can be written; it cannot ({why(error)})"
        ) from None


def export_latex(one: Exported) -> list[Path]:
    """Tables with booktabs, methods, deviations, references, and a document that holds them."""
    tables = paper_tables(one.results)
    texts = {f"{table.name}.tex": latex_table(table) for table in tables}
    texts["methods.tex"] = escape(methods_paragraph(one.results, one.study)) + "\n"
    texts["deviations.tex"] = escape(deviations_paragraph(one.results, one.study)) + "\n"
    own = one.study.plan.words.references
    texts["moco-study.bib"] = BIBTEX % program_version() + (f"\n{own}" if own else "")
    parts = "\n".join(rf"\input{{{name}}}" for name in texts if name.endswith(".tex"))
    texts["example.tex"] = EXAMPLE.replace("PARTS", parts)
    return write_texts(one.to, texts)


EXAMPLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{booktabs,graphicx}
\begin{document}
PARTS
\nocite{*}
\bibliographystyle{plain}
\bibliography{moco-study}
\end{document}
"""


def export_csv(one: Exported) -> list[Path]:
    """The same tables, and every value unrounded."""
    texts = {f"{table.name}.csv": csv_table(table) for table in paper_tables(one.results)}
    return write_texts(one.to, {**texts, "values.csv": levels_csv(one.results)})


def export_figures(one: Exported) -> list[Path]:
    """Each panel of the page as SVG and PDF, a column wide.

    Raises:
        StudyError: Matplotlib is not installed.
    """
    try:
        from study.figures.paper import save_panel
    except ImportError:
        raise StudyError(
            '--export svg needs Matplotlib, which is not installed: pip install "moco-study[paper]"'
        ) from None
    plan = one.results.plan
    sections = [one for one in make_sections(one.results, one.folder).values() if one]
    paths = []
    for panel in list_panels(sections):
        stem = one.to / panel.id
        save_panel(panel, arm_styles(plan), arm_titles(plan), stem)
        paths += [stem.with_suffix(".svg"), stem.with_suffix(".pdf")]
    return paths


def write_texts(folder: Path, texts: dict[str, str]) -> list[Path]:
    """Write files; their paths."""
    for name, text in texts.items():
        write_atomically(folder / name, text)
    return [folder / name for name in texts]


KINDS: dict[str, Callable[[Exported], list[Path]]] = {
    "latex": export_latex,
    "csv": export_csv,
    "svg": export_figures,
}
