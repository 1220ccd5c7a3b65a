"""Records: how trials ended. They are the truth about what is done."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from study.design.space import Metric
from study.errors import StudyError

TEXTS = ("trial", "stage", "arm", "status", "error", "why", "device", "commit", "started", "ended")
OBJECTS = ("config", "point", "result", "versions")
TYPES: dict[str, Any] = {
    **dict.fromkeys(TEXTS, str),
    **dict.fromkeys(OBJECTS, dict),
    "seed": int,
    "curve": list,
    "seconds": int | float,
}
SCHEMA = 2  # of a line of records.jsonl; lines of 1 name none and have no chain
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
        is_number = self.status == "finished" and isinstance(value, int | float)
        return float(value) if is_number else math.nan  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """The fields as a line of records.jsonl has them."""
        values = asdict(self)
        extra, _ = values.pop("extra"), values.pop("link")
        link = {"chain": self.link._asdict()} if self.link else {}
        return {**values, **extra, "schema": SCHEMA, **link}


FIELDS = tuple(name for name in Record.__dataclass_fields__ if name not in ("extra", "link"))


def parse_record(line: str | bytes, place: str) -> Record:
    """The record that a line holds.

    Raises:
        StudyError: it holds none; `place` says where it stands.
    """
    try:
        values = json.loads(line)
        known = {name: values[name] for name in FIELDS}
        if not all(isinstance(known[name], kind) for name, kind in TYPES.items()):
            raise TypeError("a field has the wrong type")
        if known["status"] not in STATUSES or not 0 <= known["seconds"] < math.inf:
            raise ValueError(f"status {known['status']!r}, seconds {known['seconds']!r}")
        if not all(is_epoch(row) for row in known["curve"]):
            raise TypeError("an epoch of the curve")
        link = Link(**chain) if (chain := values.get("chain")) else None
    except (ValueError, KeyError, TypeError) as error:
        raise StudyError(
            f"{place} must be a trial's record; it is not ({error!r}). Delete that line, and its "
            "trial runs again"
        ) from None
    if (schema := values.get("schema", 1)) not in range(1, SCHEMA + 1):
        raise StudyError(
            f"{place} must be a record of schema {SCHEMA} or lower; it has {schema!r}, of a later "
            "version of this program"
        )
    extra = {k: v for k, v in values.items() if k not in (*FIELDS, "schema", "chain")}
    return Record(**known, extra=extra, link=link)


def is_epoch(row: Any) -> bool:
    """Whether a value is an epoch of a curve."""
    is_object = isinstance(row, dict) and isinstance(row["epoch"], int)
    return is_object and isinstance(row["loss"], int | float)


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
