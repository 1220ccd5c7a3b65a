"""Trials as data: those that are due, for another machine to run, and its records."""

import json
import math
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from study.design.plan import Plan
from study.design.record import Record, final_records, parse_record
from study.design.stages import Records, due_trials
from study.design.trial import Trial
from study.errors import StudyError, why
from study.files import read_bytes, read_text
from study.store.atomic import write_atomically
from study.store.chain import is_as_written
from study.store.ledger import Ledger
from study.store.pictures import read_pictures
from study.typed import WrongTypeError, why_unread

ADOPTABLE = ("finished", "diverged")  # ends of what ran elsewhere
TYPES = {"stage": str, "arm": str, "seed": int, "point": dict, "config": dict, "why": str}


class ExportedTrial(NamedTuple):
    """A trial as a line of trials.jsonl has it."""

    trial: Trial
    space: str  # whose trainer runs it
    dataset: str  # name of the data
    fingerprint: str  # of the data's content
    plan: str = ""  # hash of the plan that asks for it


def export_trials(plan: Plan, records: Records, folder: Path) -> tuple[Path, int]:
    """Write trials.jsonl: every trial that is known by now and has not ended; file and count.

    Later stages follow from the records of these. The points of an adaptive search are not among
    them, since each follows from the last.

    Raises:
        StudyError: the file cannot be written.
    """
    path = folder / "trials.jsonl"
    about = {
        "fingerprint": plan.data.fingerprint,
        "space": plan.space.name,
        "dataset": plan.data.name,
        "plan": plan.hash,
    }
    lines = []
    for trial in due_trials(plan, records):
        if trial.id not in records:
            values = asdict(trial)
            lines.append(json.dumps({"trial": values.pop("id"), **values, **about}) + "\n")
    try:
        write_atomically(path, "".join(lines))
    except OSError as error:
        raise StudyError(
            f"{path} must be a file that can be written; it cannot ({why(error)})"
        ) from None
    return path, len(lines)


def read_trials(path: Path) -> list[ExportedTrial]:
    """The trials of a file, each once.

    Raises:
        StudyError: it cannot be read, or a line is no trial.
    """
    rule = "--trials must be a file that run_study.py --plan --out wrote"
    try:
        lines = read_text(path).splitlines()
    except (OSError, ValueError) as error:
        raise StudyError(f"{rule}; {path} cannot be read ({why(error)})") from None
    trials: dict[str, ExportedTrial] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                one = parse_trial(line)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise StudyError(
                    f"{rule}; line {number} of {path} is no trial: {why_unread(error)}"
                ) from None
            trials.setdefault(one.trial.id, one)
    return list(trials.values())


def parse_trial(line: str) -> ExportedTrial:
    """The trial of a line.

    Raises:
        KeyError, TypeError, ValueError: it holds none.
    """
    values = json.loads(line)
    if wrong := [name for name, kind in TYPES.items() if not isinstance(values[name], kind)]:
        raise WrongTypeError(f"{wrong[0]} is of another kind")
    if not re.fullmatch(r"\w{1,64}", values["trial"]):  # it names a folder
        raise ValueError(f"trial must be letters and digits; got {values['trial']!r}")
    trial = Trial(id=values["trial"], **{name: values[name] for name in TYPES})
    space, dataset, fingerprint = (str(values[k]) for k in ("space", "dataset", "fingerprint"))
    own, config = values["point"], values["config"]
    if wrong := [name for name in own if name in config and config[name] != own[name]]:
        raise ValueError(
            f"its point and its config differ in {wrong[0]}: {own[wrong[0]]!r} and "
            f"{config[wrong[0]]!r}"
        )
    return ExportedTrial(trial, space, dataset, fingerprint, str(values.get("plan", "")))


class Adoption(NamedTuple):
    """What became of foreign records."""

    taken: list[str]  # ids
    with_pictures: int  # whose pictures came along
    known: list[str]  # ended here already
    refused: dict[str, list[str]]  # ids, by the reason

    def summary(self, path: Path) -> str:
        """A line for the user."""
        pictures = f", pictures of {self.with_pictures} copied" if self.with_pictures else ""
        line = f"{path}: {len(self.taken)} records taken, {len(self.known)} known already{pictures}"
        if not self.refused:
            return line
        count = sum(len(ids) for ids in self.refused.values())
        reasons = (f"{reason} ({list_ids(ids)})" for reason, ids in self.refused.items())
        return f"{line}, {count} refused: {'; '.join(reasons)}"


def list_ids(ids: list[str]) -> str:
    """The first few ids, and how many more there are."""
    more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
    return ", ".join(ids[:3]) + more


def adopt_records(plan: Plan, ledger: Ledger, path: Path) -> Adoption:
    """Take the records of a file whose trials the plan asks for.

    Those of an early stage may let it ask for others in the same file. Pictures that the trials
    left lie where they ran, NAME-trials beside NAME.jsonl; they are copied where that is there.

    Raises:
        StudyError: the file cannot be read, or a line of it is no record.
    """
    foreign = read_foreign_records(path)
    done = final_records(ledger.records)
    known = [record.trial for record in foreign if record.trial in done]
    left = [record for record in foreign if record.trial not in done]
    refused = find_spoiled(left)
    spoiled = {id for ids in refused.values() for id in ids}
    left = [record for record in left if record.trial not in spoiled]
    taken: list[str] = []
    while True:
        due = {trial.id: trial for trial in due_trials(plan, done)}
        fitting = [one for one in left if one.trial in due and fits(plan, one, due[one.trial])]
        if not fitting:
            break
        for record in fitting:
            if record.trial not in done:
                adopted = as_trial(record, due[record.trial], path.name)
                ledger.append(adopted)
                done[record.trial] = adopted
                taken.append(record.trial)
        left = [record for record in left if record.trial not in done]
    for record in left:
        reason = refusal(plan, record, is_due=record.trial in due)
        refused.setdefault(reason, []).append(record.trial)
    source, target = path.with_name(f"{path.stem}-trials"), ledger.path.parent / "trials"
    return Adoption(taken, copy_pictures(source, target, [*taken, *known]), known, refused)


def find_spoiled(records: list[Record]) -> dict[str, list[str]]:
    """Trials of which no record may count, by the reason: changed, or told in two ways."""
    changed = [one.trial for one in records if one.link and not is_as_written(one, one.link)]
    results: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        found = results.setdefault(record.trial, [])
        if record.status in ADOPTABLE and record.result not in found:
            found.append(record.result)
    several = [id for id, found in results.items() if len(found) > 1 and id not in changed]
    reasons = {
        "changed after it was written: its hash is another": changed,
        "two lines of the file give different results": several,
    }
    return {reason: ids for reason, ids in reasons.items() if ids}


def as_trial(record: Record, trial: Trial, source: str) -> Record:
    """A foreign record under the names that this plan gives its trial, with its own chain."""
    names = {name: getattr(trial, name) for name in ("stage", "arm", "seed", "point", "why")}
    extra: dict[str, Any] = {**record.extra, "adopted": source}
    if record.link and "origin" not in extra:
        was = {name: getattr(record, name) for name in names}
        extra["origin"] = {"chain": record.link._asdict(), "was": was}
    return replace(record, **names, extra=extra, link=None)


def copy_pictures(source: Path, trials: Path, ids: list[str]) -> int:
    """Copy the pictures of these trials that are not here yet; of how many.

    Raises:
        StudyError: they cannot be written; the records are kept, and the same command tries again.
    """
    count = 0
    for id in ids:
        target = trials / id / "pictures.json"
        if target.exists() or not (pictures := read_pictures(source / id / "pictures.json")):
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, json.dumps(pictures))
        except OSError as error:
            raise StudyError(
                f"the pictures of trial {id} cannot be copied to {target} ({why(error)}); the "
                "records are taken"
            ) from None
        count += 1
    return count


def defect(plan: Plan, record: Record) -> str:
    """What a finished record lacks or cannot be right in; empty where it may be right."""
    for metric in plan.space.metrics if record.status == "finished" else ():
        if metric is not plan.space.primary and record.result.get(metric.name) is None:
            continue  # not every stage measures it
        value = record.metric(metric.name)
        if not math.isfinite(value) or (metric.share_of_images and not 0 <= value <= 1):
            return f"its {metric.name} is {record.result.get(metric.name)!r}"
    return ""


def fits(plan: Plan, record: Record, trial: Trial) -> bool:
    """Whether a record can be its trial's: of that config, ended, with plausible numbers."""
    own = record.config == trial.config and record.seed == trial.config.get("seed", record.seed)
    return own and record.status in ADOPTABLE and not defect(plan, record)


def refusal(plan: Plan, record: Record, *, is_due: bool) -> str:
    """Why a record is refused."""
    if wrong := defect(plan, record):
        return wrong
    if record.status not in ADOPTABLE:
        return f"it is {record.status}"
    if is_due:
        return "its configuration is not that of the trial"
    return (
        "the plan asks for no such trial now: made for another space, other settings or a later "
        "stage"
    )


def read_foreign_records(path: Path) -> list[Record]:
    """The records of a file.

    Raises:
        StudyError: it cannot be read, or a line of it is no record.
    """
    try:
        lines = read_bytes(path).splitlines(keepends=True)
    except OSError as error:
        raise StudyError(
            f"--adopt must name a file of records; {path} cannot be read ({why(error)})"
        ) from None
    return [
        parse_record(line, f"line {number} of {path}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
