"""The records of a study: one line of records.jsonl for every trial that ended. They are the truth about what is done."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from study.errors import StudyError

KINDS = {
    **dict.fromkeys(
        ("trial", "stage", "arm", "status", "error", "why", "device", "commit", "started", "ended"),
        str,
    ),
    **dict.fromkeys(("config", "point", "result", "versions"), dict),
    "seed": int,
    "curve": list,
    "seconds": int | float,
}


STATUSES = ("finished", "diverged", "stopped", "failed")


@dataclass(frozen=True)
class Record:
    """How one trial ended."""

    trial: str
    stage: str
    arm: str
    seed: int
    status: str  # finished; diverged: its loss left the finite numbers; stopped: by a rule; failed: by an error
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
    extra: dict[str, Any] = field(
        default_factory=dict
    )  # fields of a later version, kept as they came

    @property
    def is_final(self) -> bool:
        """Whether the trial needs no other run: a failed one does."""
        return self.status != "failed"

    def metric(self, name: str) -> float:
        """A number of the result; NaN where the trial did not finish or has none."""
        value = self.result.get(name)
        return (
            float(value)
            if self.status == "finished" and isinstance(value, int | float)
            else math.nan
        )


def record_of(line: bytes, names: set[str], place: str) -> Record:
    """The record that a line holds.

    Raises:
        StudyError: it holds none.
    """
    try:
        values = json.loads(line)
        known = {name: values[name] for name in names}
        if not all(isinstance(values[name], kind) for name, kind in KINDS.items()):
            raise TypeError("a field has the wrong type")
        if values["status"] not in STATUSES or not 0 <= values["seconds"] < math.inf:
            raise ValueError(f"status {values['status']!r}, seconds {values['seconds']!r}")
        if not all(
            isinstance(row, dict)
            and isinstance(row["epoch"], int)
            and isinstance(row["loss"], int | float)
            for row in values["curve"]
        ):
            raise TypeError("an epoch of the curve")
    except (ValueError, KeyError, TypeError) as error:
        raise StudyError(
            f"{place} must be a trial's record; it is not ({error!r}). Delete that line, and its trial runs again"
        ) from None
    return Record(
        **known, extra={name: value for name, value in values.items() if name not in names}
    )


def final_records(records: Iterable[Record]) -> dict[str, Record]:
    """The one record that counts of each trial: the final one, by trial."""
    return {record.trial: record for record in records if record.is_final}


def last_line(error: str) -> str:
    """What an error says."""
    lines = error.strip().splitlines()
    return lines[-1].rstrip(".") if lines else "no message"
