"""Where every number comes from: the facts of the page's head, and the provenance."""

from datetime import datetime
from typing import NamedTuple

from study.analysis.results import Results
from study.design.given_runs import GivenRuns
from study.design.plan import Plan
from study.design.record import Record
from study.design.stages import is_finished
from study.report.folder import StudyFolder
from study.report.section import DASH
from study.report.wording import epochs_words
from study.store.chain import seal
from study.store.study_file import StudyFile, begins_before
from study.text import capitalize, join_words, plural

RECORDS = (
    "records.jsonl, {count} lines, beside this page; flat copies in trials.csv and epochs.csv; "
    "the searches in optuna.db"
)


class Fact(NamedTuple):
    """One fact of the page's head."""

    term: str
    first: str
    second: str


class Origin(NamedTuple):
    """One row of the provenance."""

    term: str
    words: str


def head_facts(results: Results) -> list[Fact]:
    """What the trainer says of data and task; budget, seeds, device and end."""
    plan = results.plan
    if plan.given:
        return [Fact(*row) for row in plan.data.about]
    searched = plan.space.explore is not None or plan.tunes
    each = "each" if plan.space.explore is None else "in one search"
    trials = f"{plan.sizes.search_trials} search trials {each}"
    if plan.repeats:
        trials = f"{plan.sizes.searches} searches of {plan.sizes.search_trials} trials each"
    seeds = "none seen in the search" if searched else "the same for all"
    final = (
        f"{plan.pairs} {plural(plan.unit('final'))}, paired"
        if plan.repeats
        else (f"{plan.sizes.final_seeds} final, paired")
    )
    return [
        *(Fact(*row) for row in plan.data.about),
        Fact("Budget", trials if searched else "nothing is tuned for an arm", epochs_words(plan)),
        Fact("Seeds", final, seeds),
        device_fact(results.records),
        end_fact(results),
    ]


def device_fact(records: list[Record]) -> Fact:
    """On what the trials ran, and for how long."""
    hours = sum(record.seconds for record in records) / 3600
    spent = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"
    devices = device_words(records) or ("not stated" if records else "nothing ran yet")
    return Fact("Device", devices, f"{spent} of trials, {len(records)} runs")


def device_words(records: list[Record]) -> str:
    """The devices of the records."""
    return ", ".join(sorted({record.device for record in records if record.device}))


def end_fact(results: Results) -> Fact:
    """When the last trial ended."""
    ended = max((record.ended for record in results.records), default="")
    day = datetime.fromisoformat(ended).strftime("%-d %b %Y") if ended else "not yet"
    time = f"{ended[11:16]} UTC" if ended else ""
    if is_finished(results.plan, results.final):
        return Fact("Ended", day, time)
    return Fact(f"Not ended, {len(results.current)} trials so far", day, time)


def toy_words(plan: Plan) -> str:
    """Words for a study on toy data; empty otherwise."""
    if not plan.data.bundled:
        return ""
    title = plan.data.title or plan.data.name
    return f"{title}: this shows the method and is no evidence about photographs"


def provenance_rows(study: StudyFolder) -> list[Origin]:
    """Where every number comes from."""
    results, about = study.results, study.file.about
    plan, records = results.plan, results.records
    if plan.given:
        return given_rows(plan.given, study)
    versions = records[-1].versions if records else about.versions
    return [
        Origin("Plan", plan_words(study.file, records)),
        Origin("Code", code_words(records, about.commit)),
        Origin("Data", data_words(plan)),
        *input_rows(plan),
        *(Origin(*row) for row in plan.data.provenance),
        Origin("Seeds", seed_words(plan)),
        Origin("Software", ", ".join(f"{name} {version}" for name, version in versions.items())),
        Origin("Device", run_words(results)),
        Origin("Time", time_words(records)),
        Origin("Records", RECORDS.format(count=len(records))),
        Origin("Chain", chain_words(study)),
    ]


def given_rows(given: GivenRuns, study: StudyFolder) -> list[Origin]:
    """Where given runs were read, as which columns, and when they were judged."""
    columns = (f"{role} {name}" for role, name in given.columns.items() if name)
    return [
        Origin(
            "Source", f"{given.source}, {given.kind}, {given.rows:,} rows; {', '.join(columns)}"
        ),
        Origin("Content", f"sha256:{study.file.plan.data.fingerprint[:16]}…"),
        Origin("Judged", f"{study.file.about.created}, after the runs; plan {study.file.hash}"),
        Origin(
            "Records", f"records.jsonl, {study.chain.total} lines, beside this page; trials.csv"
        ),
        Origin("Chain", chain_words(study)),
    ]


def chain_words(study: StudyFolder) -> str:
    """Whether plan and records are as they were written, and the last record's hash."""
    chain = study.chain
    if study.changes:
        return "broken; the note at the top says where"
    if chain.total == chain.unlinked:
        return (
            "none: the records were written by an earlier version" if chain.total else "not begun"
        )
    old = f", the first {chain.unlinked} of them by an earlier version" if chain.unlinked else ""
    return (
        f"whole: each of {chain.total} records carries the hash of the one before{old}; the "
        f"seal of plan and records is {seal(chain.head, study.file.hash)}. --verify checks it again"
    )


def plan_words(study: StudyFile, records: list[Record]) -> str:
    """When the plan was fixed, whether before the first trial, and its hash."""
    changes, fixed = study.about.changes, study.about.created
    extended = f", extended {changes[-1].when}" if changes else ""
    early = sum(begins_before(record, fixed) for record in records)
    when = f"after {early} of its trials had begun" if early else "before the first trial"
    return f"fixed {fixed}, {when}{extended}; hash {study.hash}"


def code_words(records: list[Record], planned: str) -> str:
    """The commits that made the records; before the first of them, that which made the plan."""
    commits = sorted({record.commit for record in records if record.commit})
    commits = commits or [planned]
    return "commit " + ", ".join(commits) if any(commits) else "not in a git repository"


def data_words(plan: Plan) -> str:
    """Name, fingerprint, items and classes of the data, as far as they are known."""
    data = plan.data
    name = f"{data.name}, " if data.name else ""
    is_digest = len(data.fingerprint) == 64  # a trainer without data gives another word for them
    mark = f"fingerprint sha256:{data.fingerprint[:16]}…" if is_digest else "made by the trainer"
    parts = [name + mark]
    if data.counts:
        parts.append(", ".join(f"{count:,} {split}" for split, count in data.counts.items()))
    if data.classes:
        parts.append(f"{len(data.classes)} classes")
    return "; ".join(parts)


def input_rows(plan: Plan) -> list[Origin]:
    """The files that arms begin from, if any do: a row for each field that holds a checksum."""
    rows = []
    for field, title in plan.words.inputs.items():
        arms: dict[str, list[str]] = {}  # by checksum
        for name, found in plan.found.items():
            if found.get(field):
                arms.setdefault(found[field], []).append(plan.title(name))
        words = (
            f"{join_words(titles) if len(titles) < len(plan.running) else 'all arms'} from "
            f"sha256:{checksum[:16]}…"
            for checksum, titles in arms.items()
        )
        rows += [Origin(capitalize(title), "; ".join(words))] if arms else []
    return rows


def seed_words(plan: Plan) -> str:
    """The seeds of every stage."""
    stages = [(stage, plan.seeds(stage)) for stage in ("replica", "confirm", "final")]
    ranges = "; ".join(f"{stage} {seeds[0]} to {seeds[-1]}" for stage, seeds in stages if seeds)
    searched = ", ".join(str(plan.search_seed(search)) for search in plan.searches)
    return f"search {searched}; {ranges}"


def run_words(results: Results) -> str:
    """Devices, what a result says of how it was computed, and workers."""
    plan = results.plan
    parts = [device_words(results.records) or ("not stated" if results.records else "none yet")]
    for key, title in plan.words.alike.items():
        found = {str(run.result[key]) for run in results.records if key in run.result}
        parts.append(f"{title}: {', '.join(sorted(found)) or DASH}")
    parts.append(f"{plan.workers} worker{'s' if plan.workers > 1 else ''} a trial")
    return "; ".join(parts)


def time_words(records: list[Record]) -> str:
    """When the trials ran, and how long."""
    first = min((record.started for record in records if record.started), default=DASH)
    last = max((record.ended for record in records), default=DASH)
    minutes = sum(record.seconds for record in records) / 60
    return f"first trial {first}, last {last}; {minutes:.0f} min of trial time"
