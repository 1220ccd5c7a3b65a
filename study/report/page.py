"""One offline page from a study's folder, drawn without torch, Ray or a GPU.

The same records give the same page, byte for byte.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from study.analysis.results import Results
from study.analysis.verdict import LABELS
from study.design.arms import absent_sentences
from study.design.plan import Plan
from study.errors import StudyError, why
from study.figures.panel import Panel
from study.figures.style import arms_css, marks_svg
from study.report.advice import advise
from study.report.answer import answer, answer_itself, published_sentence, replica_sentence
from study.report.drawing import draw_panels, packed_plotly, plotly_json
from study.report.folder import StudyFolder, read_folder
from study.report.levels import level_sentence
from study.report.provenance.deviations import deviation_lines
from study.report.provenance.origin import head_facts, provenance_rows, toy_words
from study.report.provenance.runs import runs_table
from study.report.provenance.threats import threat_lines
from study.report.section import Section
from study.report.sections.adaptive_search import search_section
from study.report.sections.claims import card_groups, claim_cards, error_sentence
from study.report.sections.fairness import fairness_section
from study.report.sections.final_result import final_section
from study.report.sections.four_analyses import four_analyses
from study.report.sections.learning_rate import rate_section
from study.report.sections.loss_accuracy import loss_section
from study.report.sections.ordered_parameter import ordered_section
from study.report.sections.pictures import pictures_section
from study.report.sections.published_numbers import published_numbers
from study.report.sections.reproduction import reproduction_section
from study.report.sections.tuning_budget import budget_section
from study.report.terms import explain_terms
from study.report.verdict_file import write_verdict
from study.store.atomic import write_atomically
from study.store.flat_files import write_flat_files
from study.store.study_file import About

HERE = Path(__file__).parent
PAGE = "report.html"
# what a plan raises that was edited so that its types are right and its values make no sense
WRONG_PLAN = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, StopIteration)
TITLES = {  # of the sections, by the id of each
    "verdict": "Verdicts",
    "four": "One claim, four analyses",
    "then": "Reproduction of the 2020 report",
    "final": "Final result",
    "along": "Results by parameter value",
    "search": "The search",
    "rate": "Learning rate",
    "fair": "Fairness ledger",
    "loss": "Loss and accuracy",
    "budget": "Tuning budget",
    "maps": "Pictures",
    "threats": "Threats and deviations",
    "provenance": "Provenance",
    "runs": "All runs",
}


class Sign(NamedTuple):
    """The sign of a label: an interval's bar and its mean, over zero and ±δ."""

    label: str
    bar: str  # path
    mean: float  # its place


SIGNS = (
    Sign("supported", "M19 6H32", 25.5),
    Sign("small", "M17.5 6H25", 21),
    Sign("contradicted", "M0 6H13", 6.5),
    Sign("equivalent", "M10.5 6H21.5", 16),
    Sign("nogain", "M1 6H20.5", 11),
    Sign("undecided", "M8 6H30", 19),
)


class Report(NamedTuple):
    """A report that was written."""

    page: Path
    answer: str  # the page's answer in a line
    changes: list[str]  # sentences: what was changed after it was written


def write_report(folder: Path) -> Report:
    """Write report.html, verdict.json, trials.csv and epochs.csv into the study's folder.

    Raises:
        StudyError: the folder holds no study, its records are damaged, or the page cannot be
            written.
    """
    study = read_folder(folder)
    results, page = study.results, folder / PAGE
    try:
        text = render_page(study)
    except WRONG_PLAN as error:
        if study.file.found == study.file.hash and results.plan.hash == study.file.hash:
            raise  # our own mistake
        raise StudyError(
            f"{folder / 'study.json'} must be the plan of a study of this version; it was edited, "
            "or is of another version, and no page can be drawn of it"
        ) from error
    try:
        write_flat_files(folder, results.records)
        write_verdict(folder, results)
        write_atomically(page, text)
    except OSError as error:
        raise StudyError(
            f"{folder} must be a folder that can be written; the report cannot be ({why(error)})"
        ) from None
    first = " ".join(answer(results))
    words = " ".join(filter(None, (first, level_sentence(results))))
    return Report(page, words, study.changes)


def render_page(study: StudyFolder, *, interactive: bool = True) -> str:
    """The page as text.

    Args:
        interactive: whether its figures can be explored, by Plotly, which takes 2 MB; else they are
            the static ones alone.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html")
    results = study.results
    sections = make_sections(results, study.path)
    return template.render(
        **frame_values(results.plan, sections, interactive=interactive),
        **sections,
        **head_values(results, study.file.about),
        **foot_values(study),
        changed=study.changes,
    )


def make_sections(results: Results, folder: Path) -> dict[str, Any]:
    """What the template needs of each section that may be left out; None where it is empty."""
    return {
        "four": four_analyses(results),
        "reported": published_numbers(results),
        "then": reproduction_section(results),
        "final": final_section(results),
        "along": ordered_section(results),
        "search": search_section(results),
        "rate": rate_section(results),
        "fair": fairness_section(results),
        "loss": loss_section(results),
        "budget": budget_section(results),
        "maps": pictures_section(results, folder),
    }


def unused_sections(plan: Plan, sections: dict[str, Any]) -> set[str]:
    """The sections that this study has no use for.

    A section that is used and empty says so on the page.
    """
    unused = {id for id in ("four", "along", "maps") if sections[id] is None}
    unused |= {"search"} if plan.space.explore is None else {"rate", "fair", "loss", "budget"}
    if plan.given:
        unused |= {"fair", "loss", "then"}
    if not plan.tunes:
        unused |= {"rate", "budget"}
    if all(metric.name != "loss" for metric in plan.space.metrics[1:]):
        unused.add("loss")
    if sections["then"] is None and sections["reported"] is None:
        unused.add("then")
    return unused


def frame_values(plan: Plan, sections: dict[str, Any], *, interactive: bool) -> dict[str, Any]:
    """Styles, scripts, contents and the panels of all sections that are shown."""
    unused = unused_sections(plan, sections)
    titles = {**TITLES, "maps": plan.words.pictures_title}
    titles = {id: title for id, title in titles.items() if id not in unused}
    panels = list_panels(section for id, section in sections.items() if id not in unused)
    css = (HERE / "page.css").read_text(encoding="utf-8").replace("</style", "")
    return {
        "plan": plan,
        "titles": titles,
        "numbers": {id: number for number, id in enumerate(titles, start=1)},
        "labels": LABELS,
        "signs": SIGNS,
        "css": Markup(css + arms_css(plan)),
        "js": Markup((HERE / "page.js").read_text(encoding="utf-8")),
        "marks": Markup(marks_svg(plan)),
        "drawn": draw_panels(plan, panels),
        "panels_json": plotly_json(plan, panels if interactive else ()),
        "plotly": packed_plotly() if interactive else "",
    }


def list_panels(sections: Any) -> list[Panel]:
    """The panels of the sections that have some."""
    return [
        panel for section in sections if isinstance(section, Section) for panel in section.panels
    ]


def head_values(results: Results, about: About) -> dict[str, Any]:
    """The answer, facts and verdicts."""
    plan, cards = results.plan, claim_cards(results)
    return {
        "ribbon": toy_words(plan),
        "answer": answer(results),
        "first_answer": answer_itself(results),
        "advice": advise(results, about),
        "level_sentence": level_sentence(results),
        "replica_sentence": replica_sentence(plan, results.verdict("replica")),
        "published_sentence": published_sentence(plan, results.verdict("published")),
        "facts": head_facts(results),
        "primary_cards": cards.get("primary", []),
        "card_groups": card_groups(plan, cards),
        "error_sentence": error_sentence(plan),
        "terms": explain_terms(plan),
    }


def foot_values(study: StudyFolder) -> dict[str, Any]:
    """Threats, deviations, provenance, all runs, and how to do it again."""
    results, plan, about = study.results, study.results.plan, study.file.about
    return {
        "absent": absent_sentences(plan.space, plan.absent),
        "threats": threat_lines(results),
        "deviations": deviation_lines(results, about),
        "provenance": provenance_rows(study),
        "runs": runs_table(results),
        "program": about.program,
        "command": shlex.join(about.command),
        "folder": shlex.quote(about.folder),
    }


if __name__ == "__main__":
    if hasattr(os, "nice"):  # trials go first; Windows has no such thing
        os.nice(10)
    write_report(Path(sys.argv[1]))
