"""Trials as data: those that are due, for another machine to run, and the records that it brings back."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from study.design.plan import Plan
from study.design.record import Record, final_records, record_of
from study.design.stages import Records, due
from study.errors import StudyError
from study.store.atomic import write_atomically
from study.store.ledger import Ledger
from study.store.pictures import pictures_of

ENDS = ("finished", "diverged")  # of what ran elsewhere


def export(plan: Plan, records: Records, folder: Path) -> tuple[Path, int]:
    """Writes trials.jsonl: every trial that is known by now and has not ended; the file and their number.

    Later stages follow from the records of these. The points of an adaptive search are not among them, since each follows from the last.

    Raises:
        StudyError: the file cannot be written.
    """
    path = folder / "trials.jsonl"
    lines = []
    for trial in due(plan, records):
        if trial.id not in records:
            values = asdict(trial)
            lines.append(
                json.dumps(
                    {"trial": values.pop("id"), **values, "fingerprint": plan.data["fingerprint"]}
                )
                + "\n"
            )
    try:
        write_atomically(path, "".join(lines))
    except OSError as error:
        raise StudyError(
            f"{path} must be a file that can be written; it cannot ({error})"
        ) from None
    return path, len(lines)


class Adopted(NamedTuple):
    """What became of foreign records."""

    taken: list[str]  # ids
    pictured: int  # came with the pictures that their trials left
    known: list[str]  # ended here already
    refused: dict[str, list[str]]  # ids, by the reason

    def words(self, path: Path) -> str:
        """For the user."""
        pictured = f", pictures of {self.pictured} taken along" if self.pictured else ""
        said = f"{path}: {len(self.taken)} records taken, {len(self.known)} known already{pictured}"
        count = sum(len(ids) for ids in self.refused.values())
        told = "; ".join(
            f"{why} ({', '.join(ids[:3])}{f' and {len(ids) - 3} more' if len(ids) > 3 else ''})"
            for why, ids in self.refused.items()
        )
        return f"{said}, {count} refused: {told}" if count else said


def adopt(plan: Plan, ledger: Ledger, path: Path) -> Adopted:
    """Takes the records of a file whose trials the plan asks for; those of an early stage may let it ask for others in the same file.

    Pictures that the trials left lie in the folders where they ran, NAME-trials beside NAME.jsonl; they are taken along where that is there.

    Raises:
        StudyError: the file cannot be read, or a line of it is no record.
    """
    foreign = foreign_records(path)
    done = final_records(ledger.records)
    known = [record.trial for record in foreign if record.trial in done]
    left = [record for record in foreign if record.trial not in done]
    taken: list[str] = []
    while True:
        asked = {trial.id: trial for trial in due(plan, done)}
        fitting = [
            record
            for record in left
            if record.trial in asked and fits(plan, record, asked[record.trial].config)
        ]
        if not fitting:
            break
        for record in fitting:
            trial = asked[record.trial]
            if record.trial not in done:
                own: dict[str, Any] = {
                    "stage": trial.stage,
                    "arm": trial.arm,
                    "seed": trial.seed,
                    "point": trial.point,
                    "why": trial.why,
                }
                adopted = replace(record, **own, extra={"adopted": path.name})
                ledger.append(adopted)
                done[trial.id] = adopted
                taken.append(trial.id)
        left = [record for record in left if record.trial not in done]
    asked = {trial.id: trial for trial in due(plan, done)}
    refused: dict[str, list[str]] = {}
    for record in left:
        refused.setdefault(why_not(plan, record, record.trial in asked), []).append(record.trial)
    pictured = taken_along(
        path.with_name(f"{path.stem}-trials"), ledger.path.parent / "trials", [*taken, *known]
    )
    return Adopted(taken, pictured, known, refused)


def taken_along(source: Path, trials: Path, ids: list[str]) -> int:
    """Copies the pictures of these trials that are not here yet; of how many.

    Raises:
        StudyError: they cannot be written; the records are kept, and the same command tries again.
    """
    count = 0
    for id in ids:
        target = trials / id / "pictures.json"
        if target.exists() or not (pictures := pictures_of(source / id / "pictures.json")):
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, json.dumps(pictures))
        except OSError as error:
            raise StudyError(
                f"the pictures of trial {id} cannot be copied to {target} ({error}); the records are taken"
            ) from None
        count += 1
    return count


def unsound(plan: Plan, record: Record) -> str:
    """What a finished record lacks or cannot be right in; empty where it may be right."""
    for i, metric in enumerate(plan.metrics) if record.status == "finished" else ():
        if i and record.result.get(metric.name) is None:
            continue  # not every stage measures it
        value = record.metric(metric.name)
        if not math.isfinite(value) or (metric.share_of_images and not 0 <= value <= 1):
            return f"its {metric.name} is {record.result.get(metric.name)!r}"
    return ""


def fits(plan: Plan, record: Record, config: dict[str, object]) -> bool:
    """Whether a record can be its trial's: of that configuration, ended, and with numbers that may be right."""
    own = record.config == config and record.seed == config.get("seed", record.seed)
    return own and record.status in ENDS and not unsound(plan, record)


def why_not(plan: Plan, record: Record, asked: bool) -> str:
    """Why a record is refused."""
    if wrong := unsound(plan, record):
        return wrong
    if record.status not in ENDS:
        return f"it is {record.status}"
    if asked:
        return "its configuration is not that of the trial"
    return "the plan asks for no such trial now: made for another space, other settings or a later stage"


def foreign_records(path: Path) -> list[Record]:
    """The records of a file.

    Raises:
        StudyError: it cannot be read, or a line of it is no record.
    """
    names = set(Record.__dataclass_fields__) - {"extra"}
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise StudyError(
            f"--adopt must name a file of records; {path} cannot be read ({error.strerror or error})"
        ) from None
    return [
        record_of(line, names, f"line {number} of {path}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
