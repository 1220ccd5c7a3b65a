"""Records: how trials ended. They are the truth about what is done."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from study.design.space import Metric
from study.errors import StudyError
from study.typed import WrongTypeError, check_own_fields, check_text, clip, why_unread

COUNTED = ("step", "seconds")  # of an epoch, where it has them
SCHEMA = 2  # of a line of records.jsonl; lines of 1 name none and have no chain
STAGES = ("replica", "search", "beside", "added", "confirm", "final", "control")
STATUSES = ("finished", "diverged", "stopped", "failed")


class Link(NamedTuple):
    """A record's place in the chain of its file; see `study.store.chain`."""

    plan: str  # hash of the plan under which it was written
    previous: str  # hash of the record before; of the first, the plan's
    own: str  # of this record


@dataclass(frozen=True)
class Record:
    """How one trial ended."""

    trial: str
    stage: str
    arm: str
    seed: int
    # finished; diverged: its loss left the finite numbers; stopped: by a rule; failed: by an error
    status: str
    config: dict[str, Any]
    point: dict[str, Any]  # its nuisance parameters
    why: str  # "default" or "as reported" beside the search
    curve: list[dict[str, Any]]  # one object an epoch; NaN stays NaN
    result: dict[str, Any]  # the final numbers; empty unless finished
    error: str  # the last lines of a failure
    seconds: float  # of the trial itself
    device: str
    versions: dict[str, str]
    commit: str
    started: str  # ISO 8601, UTC
    ended: str
    extra: dict[str, Any] = field(default_factory=dict)  # fields of a later version, as they came
    link: Link | None = field(default=None, compare=False)  # None: it was not written yet

    @property
    def is_final(self) -> bool:
        """Whether the trial needs no other run: a failed one does."""
        return self.status != "failed"

    def metric(self, name: str) -> float:
        """A number of the result; NaN where the trial did not finish or has none."""
        value = self.result.get(name)
        if self.status != "finished" or value is None or not is_number(value):
            return math.nan
        return float(value)

    def to_dict(self) -> dict[str, Any]:
        """The fields as a line of records.jsonl has them."""
        values = {name: getattr(self, name) for name in FIELDS}  # asdict would copy whole curves
        link = {"chain": self.link._asdict()} if self.link else {}
        return {**values, **self.extra, "schema": SCHEMA, **link}


MOST_RESULT = 1e30  # beyond it a run counts as diverged
FIELDS = tuple(name for name in Record.__dataclass_fields__ if name not in ("extra", "link"))


def parse_record(line: str | bytes, place: str) -> Record:
    """The record that a line holds.

    Raises:
        StudyError: it holds none; `place` says where it stands.
    """
    try:
        values = json.loads(line)
        check_text(line, values)
        known = {name: values[name] for name in FIELDS}
        extra = {k: v for k, v in values.items() if k not in (*FIELDS, "schema", "chain")}
        link = parse_link(values["chain"]) if values.get("chain") else None
        record = Record(**known, extra=extra, link=link)
        check_own_fields(record, "")
        check_numbers(record)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise StudyError(
            f"{place} must be a trial's record; it is not: {why_unread(error)}. Delete that line, "
            "and its trial runs again"
        ) from None
    if (schema := values.get("schema", 1)) not in range(1, SCHEMA + 1):
        raise StudyError(
            f"{place} must be a record of schema {SCHEMA} or lower; it has {schema!r}, of a later "
            "version of this program"
        )
    return record


def parse_link(values: dict[str, Any]) -> Link:
    """A place in a chain.

    Raises:
        TypeError: it is none.
    """
    link = Link(**values)
    if not all(isinstance(one, str) for one in link):
        raise WrongTypeError("chain must hold three texts")
    return link


def check_numbers(record: Record) -> None:
    """Check what a record's types do not say.

    Raises:
        WrongTypeError, ValueError, OverflowError: a value is of another kind, or out of range.
    """
    if record.status not in STATUSES:
        raise ValueError(f"status must be one of {', '.join(STATUSES)}; got {record.status!r}")
    if record.stage not in STAGES:
        raise ValueError(f"stage must be one of {', '.join(STAGES)}; got {record.stage!r}")
    if not 0 <= record.seconds < math.inf:
        raise ValueError(f"seconds must be 0 or more; got {record.seconds!r}")
    if wrong := [name for name, value in record.point.items() if not is_scalar(value)]:
        raise WrongTypeError(f"point.{wrong[0]} must be a number or a word")
    for i, row in enumerate(record.curve):
        if not (is_whole(row["epoch"]) and is_number(row["loss"])):
            raise WrongTypeError(f"curve.{i} must have a whole epoch and a number as loss")
        if wrong := [name for name in COUNTED if not is_number(row.get(name, 0))]:
            raise WrongTypeError(f"curve.{i}.{wrong[0]} must be a number")
    for name in ("started", "ended"):
        if time := getattr(record, name):
            check_time(name, time)
    for name, value in record.result.items():
        if is_number(value) and math.isfinite(value) and abs(value) > MOST_RESULT:
            raise ValueError(f"result.{name} must be at most 1e30; got {clip(value)}")


def check_time(name: str, time: str) -> None:
    """Check that a field holds a time.

    Raises:
        WrongTypeError: it does not.
    """
    try:
        datetime.fromisoformat(time)
    except ValueError:
        raise WrongTypeError(
            f"{name} must be a time as 2026-01-31T12:00:00Z; got {clip(time)}"
        ) from None


def is_scalar(value: Any) -> bool:
    """Whether a value is no list and no object."""
    return isinstance(value, str | int | float)


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a number that a float can hold.

    Raises:
        OverflowError: it is a whole number beyond.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    float(value)
    return True


def final_records(records: Iterable[Record]) -> dict[str, Record]:
    """The final record of each trial, by trial."""
    return {record.trial: record for record in records if record.is_final}


def last_line(error: str) -> str:
    """The last line of an error's text."""
    lines = error.strip().splitlines()
    return lines[-1].rstrip(".") if lines else "no message"


def outcome_words(record: Record, metric: Metric) -> str:
    """How a trial ended, in short: its metric, or its status with an error's last line."""
    if record.status == "finished":
        value = record.metric(metric.name) * metric.scale
        return f"{metric.title} {value:.{metric.decimals}f}"
    return f"{record.status}: {last_line(record.error)}" if record.error else record.status
