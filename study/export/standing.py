"""The standing table: what every published study says, a row for each claim, as Markdown.

The same folders, each with study.json and records.jsonl, give the same bytes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from study.analysis.results import Results
from study.analysis.verdict import Verdict
from study.report.answer import setting_words
from study.report.levels import level_sentence
from study.report.provenance.origin import chain_words
from study.report.wording import format_interval, format_p, format_signed
from study.search.quasi_random import sobol_points
from study.store.chain import tamper_lines
from study.store.ledger import read_records
from study.store.study_file import StudyFile, read_study
from study.text import join_words

HEAD = """# Studies so far

What every study in this folder says, as `make results` writes it from the records: nothing here is
written by hand. [The guide to the page](../page.md#the-labels) says what a label means, and
[README.md](README.md) how a study is added.
"""
SOFTWARE = ("optuna", "ray", "torch")
COLUMNS = ("Claim", "Label", "Difference", "p", "n", "Failed gates")


class Published(NamedTuple):
    """A study that is published."""

    folder: Path
    study: StudyFile
    results: Results

    @property
    def name(self) -> str:
        """That of its folder."""
        return self.folder.name


def read_published(folder: Path) -> Published:
    """A published study."""
    study = read_study(folder, sobol_points)
    return Published(folder, study, Results(study.plan, read_records(folder)))


def standing_table(studies: Sequence[Published]) -> str:
    """All studies, in the order of their names."""
    parts = [study_part(one) for one in sorted(studies, key=lambda one: one.name)]
    return "\n".join([HEAD, *parts])


def study_part(one: Published) -> str:
    """One study: its question, setting and levels, its claims, and what made it."""
    study, results = one.study, one.results
    rows = [claim_row(results, verdict) for verdict in results.verdicts]
    lines = [
        f"## {study.plan.question}",
        "",
        f"On {setting_words(study.plan)}; profile {study.plan.profile}. {level_sentence(results)}",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        origin_line(one),
        "",
    ]
    return "\n".join(lines)


def claim_row(results: Results, verdict: Verdict) -> list[str]:
    """A claim's cells."""
    metric, result = results.plan.space.metric(verdict.claim.metric), verdict.result
    difference = f"{format_signed(result.mean, metric)} {metric.unit}" if result.n else "not run"
    if result.has_interval:
        difference += f" {format_interval(verdict, metric)}"
    failed = [gate.name for gate in verdict.failed_gates]
    return [
        verdict.claim.words.replace("|", "/"),
        verdict.title,
        difference,
        format_p(verdict.p) if result.has_interval else "",
        str(result.n),
        join_words(failed) if failed else "none",
    ]


def origin_line(one: Published) -> str:
    """What made the study: records, time, devices, commits, and whether it is as it was written."""
    study, records = one.study, one.results.records
    hours = sum(record.seconds for record in records) / 3600
    devices = join_words(sorted({record.device for record in records}))
    commits = join_words(sorted({record.commit for record in records}))
    ended = max(record.ended for record in records)[:10]
    found = study.about.versions
    software = ", ".join(f"{name} {found[name]}" for name in SOFTWARE if name in found)
    state = "; ".join(tamper_lines(study, records)) or chain_words(study, records)
    return (
        f"[{one.name}]({one.name}/): {len(records)} runs, {hours:.1f} hours of trials on "
        f"{devices}, ended {ended}; {software}; commit {commits}; plan {study.hash}. "
        f"Hashes: {state}."
    )
