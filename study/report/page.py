"""One offline page from a study's folder. The same records give the same page, byte for byte; neither torch nor Ray is needed."""

import base64
import gzip
import json
import os
import shlex
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from study.analysis.derived_arms import judged
from study.analysis.verdict import LABELS, Verdict, verdicts
from study.design.plan import Plan, absent_words, plan_of
from study.design.record import Record
from study.design.stages import Records
from study.errors import StudyError
from study.figures import style, svg
from study.figures.panel import Panel
from study.figures.plotly import figure
from study.report.sections import (
    adaptive_search,
    fairness,
    final_result,
    learning_rate,
    loss_accuracy,
    ordered_parameter,
    pictures,
    provenance,
    reproduction,
    threats,
    tuning_budget,
)
from study.report.sections.claims import card_groups, cards, ways
from study.report.wording import answer, published_sentence, replica_sentence
from study.store.atomic import write_atomically
from study.store.flat_files import write_flat
from study.store.ledger import read_records
from study.store.study_file import read_study

HERE = Path(__file__).parent
TITLES = {
    "verdict": "Verdicts",
    "four": "Four ways to ask",
    "then": "Then and now",
    "final": "Final result",
    "along": "Result by value",
    "search": "The search",
    "rate": "Learning rate",
    "fair": "Fairness ledger",
    "loss": "Loss and accuracy",
    "budget": "Tuning budget",
    "maps": "Attention maps",
    "threats": "Threats and deviations",
    "provenance": "Provenance",
    "runs": "All runs",
}
SIGNS = (  # of the labels: the interval's bar and its mean; the long line is zero, the short ones are −δ and +δ
    ("supported", "M19 6H32", 25.5), ("small", "M17.5 6H25", 21), ("contradicted", "M0 6H13", 6.5), ("equivalent", "M10.5 6H21.5", 16),
    ("nogain", "M1 6H20.5", 11), ("undecided", "M8 6H30", 19),
)  # fmt: skip


class Written(NamedTuple):
    """A report that was written."""

    page: Path
    answer: str  # the page's answer in a line


def write_report(folder: Path) -> Written:
    """Writes report.html, trials.csv and epochs.csv into the study's folder.

    Raises:
        StudyError: the folder holds no study, its records are damaged, or the page cannot be written.
    """
    study = read_study(folder)
    plan, records = plan_of(study["plan"]), read_records(folder)
    page = folder / "report.html"
    try:
        found = verdicts(plan, judged(plan, records))
        text = render(plan, study, records, found, folder)
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as problem:
        if plan.hash == study["hash"]:
            raise  # our own mistake
        told = "it was edited, or is of another version"
        raise StudyError(
            f"{folder / 'study.json'} must be the plan of a study of this version; {told}: no page can be drawn ({problem!r})"
        ) from None
    try:
        write_flat(folder, records)
        write_atomically(page, text)
    except OSError as error:
        raise StudyError(
            f"{folder} must be a folder that can be written; the report cannot be ({error})"
        ) from None
    return Written(page, " ".join(answer(plan, primary_of(found))))


def primary_of(found: list[Verdict]) -> Verdict | None:
    """The primary claim's verdict."""
    return next((verdict for verdict in found if verdict.claim.role == "primary"), None)


def render(
    plan: Plan, study: dict[str, Any], records: list[Record], found: list[Verdict], folder: Path
) -> str:
    """The page as text."""
    final = judged(plan, records)
    by_role = {verdict.claim.role: verdict for verdict in found}
    shown = {role: with_markup(group) for role, group in cards(plan, found).items()}
    sections = sections_of(plan, final, found, folder)
    absent = absent_sections(plan, sections)
    titles = {id: title for id, title in TITLES.items() if id not in absent}
    drawn = draw_panels(
        plan,
        [
            part
            for id, part in sections.items()
            if isinstance(part, dict) and "panels" in part and id not in absent
        ],
    )
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        plan=plan,
        labels=LABELS,
        signs=SIGNS,
        titles=titles,
        contents=list(titles.items()),
        numbers={id: i + 1 for i, id in enumerate(titles)},
        css=Markup(
            (HERE / "page.css").read_text(encoding="utf-8").replace("</style", "") + style.css(plan)
        ),
        js=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        marks=Markup(style.marks(plan)),
        plotly=Markup(packed_plotly()),
        panels_json=Markup(drawn),
        answer=answer(plan, primary_of(found)),
        replica_sentence=replica_sentence(plan, by_role.get("replica")),
        published_sentence=published_sentence(plan, by_role.get("published")),
        meta=provenance.meta(plan, records),
        ribbon=provenance.ribbon(plan),
        cards=shown,
        card_groups=card_groups(plan, shown),
        threats=threats.threats(plan, records, found),
        deviations=threats.deviations(plan, study, records),
        provenance=provenance.provenance(plan, study, records),
        runs=provenance.runs(plan, records),
        absent=absent_words(plan, plan.absent),
        command=shlex.join(study.get("command", [])),
        folder=shlex.quote(study.get("folder", "FOLDER")),
        **marked(sections),
    )


def sections_of(plan: Plan, records: Records, found: list[Verdict], folder: Path) -> dict[str, Any]:
    """What the template needs of each part that is made of results; None where there is nothing to show."""
    return {
        "ways": ways(plan, found), "then": reproduction.then(plan, records, found), "final": final_result.final(plan, records, found),
        "rate": learning_rate.rate(plan, records), "ledger": fairness.ledger(plan, records), "loss": loss_accuracy.loss(plan, records),
        "budget": tuning_budget.budget(plan, records), "search": adaptive_search.search(plan, records),
        "along": ordered_parameter.along(plan, records), "reported": reproduction.reported(plan, records),
        "maps": pictures.maps(plan, records, folder),
    }  # fmt: skip


def absent_sections(plan: Plan, sections: dict[str, Any]) -> set[str]:
    """The parts that this study has no use for: of a fair comparison or of an adaptive search, of a replica or of none."""
    absent = {"search"} if plan.explore is None else {"rate", "fair", "loss", "budget"}
    if not any(arm.search for arm in plan.running):
        absent |= {"rate", "budget"}
    if all(metric.name != "loss" for metric in plan.metrics):
        absent.add("loss")
    absent |= {id for id in ("along", "maps") if not sections[id]}
    if not sections["ways"]:
        absent.add("four")
    return (
        absent
        if sections["reported"] or any(arm.in_report for arm in plan.arms)
        else absent | {"then"}
    )


def with_markup(found: list[Any]) -> list[Any]:
    """Cards whose drawing is not escaped: svg.draw escapes the words in it."""
    return [card._replace(svg=Markup(card.svg)) for card in found]


def marked(sections: dict[str, Any]) -> dict[str, Any]:
    """The drawings of the four ways likewise."""
    for row in (sections["ways"] or {}).get("rows", []):
        row["svg"], row["axis"] = Markup(row["svg"]), Markup(row["axis"])
    return sections


def draw_panels(plan: Plan, sections: list[dict[str, Any]]) -> str:
    """Draws each section's panels, as static SVG in their place and as Plotly in one JSON block, which is returned."""
    names, look = {arm.name: arm.title for arm in plan.arms}, style.plotly_look(plan)
    arms = {f"rate-{arm.name}": arm for arm in plan.arms}
    charts = {}
    for section in sections:
        panels: list[Panel] = section["panels"]
        charts.update({panel.id: figure(panel, names, look) for panel in panels})
        section["panels"] = [
            {
                "id": p.id,
                "title": p.title,
                "note": p.note,
                "finding": p.finding,
                "svg": Markup(svg.draw(p, names)),
                "arm": arms.get(p.id),
            }
            for p in panels
        ]
    return json.dumps(rounded(charts), separators=(",", ":")).replace("<", "\\u003c")


def rounded(value: Any) -> Any:
    """Numbers to six digits; what is not a number becomes null, as JSON wants it."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if value == value and abs(value) != float("inf") else None
    return value


@cache
def packed_plotly() -> str:
    """plotly.js, gzipped and in base64: 2 MB in place of 5; the page's script inflates it."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode()


if __name__ == "__main__":
    os.nice(10)  # trials go first
    write_report(Path(sys.argv[1]))
