"""The standing table: what every published study says, a row for each claim, as Markdown.

The same folders, each with study.json and records.jsonl, give the same bytes.
"""

from collections.abc import Sequence

from study.analysis.results import Results
from study.analysis.verdict import Verdict
from study.report.answer import setting_words
from study.report.folder import StudyFolder
from study.report.levels import level_sentence
from study.report.provenance.origin import chain_words, code_words, device_words
from study.report.wording import format_interval, format_p, format_signed
from study.text import join_words

HEAD = """# Studies so far

What every study in this folder says, as `make results` writes it from the records: nothing here is
written by hand. [The guide to the page](../page.md#the-labels) says what a label means, and
[README.md](README.md) how a study is added.
"""
SOFTWARE = ("optuna", "ray", "torch")
COLUMNS = ("Claim", "Label", "Difference", "p", "n", "Failed gates")


def standing_table(studies: Sequence[StudyFolder]) -> str:
    """All studies, in the order of their names."""
    parts = [study_part(one) for one in sorted(studies, key=lambda one: one.name)]
    return "\n".join([HEAD, *parts])


def study_part(one: StudyFolder) -> str:
    """One study: its question, setting and levels, its claims, and what made it."""
    plan, results = one.results.plan, one.results
    rows = [claim_row(results, verdict) for verdict in results.verdicts]
    lines = [
        f"## {plan.question}",
        "",
        f"On {setting_words(plan)}; profile {plan.profile}. {level_sentence(results)}",
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


def origin_line(one: StudyFolder) -> str:
    """What made the study: records, time, devices, commits, and whether it is as it was written."""
    study, records = one.file, one.results.records
    hours = sum(record.seconds for record in records) / 3600
    devices = device_words(records) or "no device"
    commits = code_words(records, study.about.commit)
    ended = max((record.ended for record in records), default="not yet")[:10]
    found = study.about.versions
    software = ", ".join(f"{name} {found[name]}" for name in SOFTWARE if name in found)
    state = "; ".join(one.changes) or chain_words(one)
    return (
        f"[{one.name}]({one.name}/): {len(records)} runs, {hours:.1f} hours of trials on "
        f"{devices}, ended {ended}; {software}; {commits}; plan {study.hash}. "
        f"Hashes: {state}."
    )
