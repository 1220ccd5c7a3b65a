"""Write a study for a paper: LaTeX, CSV, figures."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from study.errors import StudyError, why
from study.export.paragraphs import BIBTEX, deviations_paragraph, methods_paragraph
from study.export.tables import csv_table, escape, latex_table, levels_csv, paper_tables
from study.figures.style import arm_styles
from study.report.drawing import arm_titles
from study.report.folder import StudyFolder, read_folder
from study.report.page import list_panels, make_sections
from study.store.atomic import write_atomically
from study.store.directory import check_no_study
from study.store.environment import program_version


class Exported(NamedTuple):
    """What was written of a study."""

    paths: list[Path]
    changes: list[str]  # sentences: what of the study was changed after it was written


def export_study(folder: Path, kind: str, to: Path) -> Exported:
    """Write a study's tables, paragraphs or figures.

    Args:
        kind: one of KINDS.

    Raises:
        StudyError: the folder holds no study, the kind is none, or nothing can be written.
    """
    if kind not in KINDS:
        raise StudyError(f"--export must be one of {', '.join(KINDS)}; got {kind!r}")
    check_no_study(to, "--export")
    study = read_folder(folder)
    try:
        to.mkdir(parents=True, exist_ok=True)
        return Exported(KINDS[kind](study, to), study.changes)
    except OSError as error:
        raise StudyError(
            f"{to} must be a folder that can be written; it cannot ({why(error)})"
        ) from None


def export_latex(study: StudyFolder, to: Path) -> list[Path]:
    """Tables with booktabs, methods, deviations, references, and a document that holds them."""
    results = study.results
    tables = paper_tables(results)
    texts = {f"{table.name}.tex": latex_table(table) for table in tables}
    texts["methods.tex"] = escape(methods_paragraph(results, study.file)) + "\n"
    texts["deviations.tex"] = escape(deviations_paragraph(results, study.file)) + "\n"
    own = results.plan.words.references
    texts["moco-study.bib"] = BIBTEX % program_version() + (f"\n{own}" if own else "")
    parts = "\n".join(rf"\input{{{name}}}" for name in texts if name.endswith(".tex"))
    texts["example.tex"] = EXAMPLE.replace("PARTS", parts)
    return write_texts(to, texts)


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


def export_csv(study: StudyFolder, to: Path) -> list[Path]:
    """The same tables, and every value unrounded."""
    texts = {f"{table.name}.csv": csv_table(table) for table in paper_tables(study.results)}
    return write_texts(to, {**texts, "values.csv": levels_csv(study.results)})


def export_figures(study: StudyFolder, to: Path) -> list[Path]:
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
    plan = study.results.plan
    sections = [one for one in make_sections(study.results, study.path).values() if one]
    paths = []
    for panel in list_panels(sections):
        stem = to / panel.id
        save_panel(panel, arm_styles(plan), arm_titles(plan), stem)
        paths += [stem.with_suffix(".svg"), stem.with_suffix(".pdf")]
    return paths


def write_texts(folder: Path, texts: dict[str, str]) -> list[Path]:
    """Write files; their paths."""
    for name, text in texts.items():
        write_atomically(folder / name, text)
    return [folder / name for name in texts]


KINDS: dict[str, Callable[[StudyFolder, Path], list[Path]]] = {
    "latex": export_latex,
    "csv": export_csv,
    "svg": export_figures,
}
