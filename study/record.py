"""The records of a study: one line of records.jsonl for every trial that ended. They are the truth about what is done."""

import fcntl
import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from study.errors import StudyError

KINDS = {
    **dict.fromkeys(("trial", "stage", "arm", "status", "error", "why", "device", "commit", "started", "ended"), str),
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
    extra: dict[str, Any] = field(default_factory=dict)  # fields of a later version, kept as they came

    @property
    def is_final(self) -> bool:
        """Whether the trial needs no other run: a failed one does."""
        return self.status != "failed"

    def metric(self, name: str) -> float:
        """A number of the result; NaN where the trial did not finish or has none."""
        value = self.result.get(name)
        return float(value) if self.status == "finished" and isinstance(value, int | float) else math.nan


class Ledger:
    """records.jsonl and its one writer.

    Raises:
        BlockingIOError: on opening, while another process writes to the same folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "records.jsonl"
        self._lock: IO[str] = open(folder / ".lock", "w")  # noqa: SIM115 - held as long as the ledger
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise
        self._cut_torn_line()
        self.records = read_records(folder)
        self._final = set(final_records(self.records))

    def _cut_torn_line(self) -> None:
        """A kill may have left half a line at the end; its trial is run again."""
        if self.path.exists() and not (text := self.path.read_bytes()).endswith(b"\n") and text:
            with open(self.path, "r+b") as file:
                file.truncate(text.rfind(b"\n") + 1)

    def append(self, record: Record) -> None:
        """Adds a line, on the disk when this returns; a trial that has its final record already gets no second one."""
        if record.trial in self._final:
            return
        values = asdict(record)
        line = json.dumps({**{name: value for name, value in values.items() if name != "extra"}, **record.extra}) + "\n"
        with open(self.path, "ab", buffering=0) as file:
            size = file.tell()
            try:
                written = file.write(line.encode())
                os.fsync(file.fileno())
                if written != len(line.encode()):
                    raise OSError("the disk is full")
            except OSError:
                file.truncate(size)  # half a line in the middle would spoil all that follow
                raise
        self.records.append(record)
        if record.is_final:
            self._final.add(record.trial)

    def close(self) -> None:
        """Lets another process write."""
        self._lock.close()


def read_records(folder: Path) -> list[Record]:
    """All whole lines of records.jsonl in their order; none where there is no file.

    Raises:
        StudyError: a line in the middle is no record; the message gives its number.
    """
    path = folder / "records.jsonl"
    if not path.exists():
        return []
    names = set(Record.__dataclass_fields__) - {"extra"}
    records = []
    try:
        with open(path, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.endswith(b"\n"):  # else it is torn, and the last
                    records.append(record_of(line, names, f"line {number} of {path}"))
    except OSError as error:
        raise StudyError(f"{path} must be a file of records; it cannot be read ({error})") from None
    return records


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
        if not all(isinstance(row, dict) and isinstance(row["epoch"], int) and isinstance(row["loss"], int | float) for row in values["curve"]):
            raise TypeError("an epoch of the curve")
    except (ValueError, KeyError, TypeError) as error:
        raise StudyError(f"{place} must be a trial's record; it is not ({error!r}). Delete that line, and its trial runs again") from None
    return Record(**known, extra={name: value for name, value in values.items() if name not in names})


def final_records(records: Iterable[Record]) -> dict[str, Record]:
    """The one record that counts of each trial: the final one, by trial."""
    return {record.trial: record for record in records if record.is_final}


def last_line(error: str) -> str:
    """What an error says."""
    lines = error.strip().splitlines()
    return lines[-1].rstrip(".") if lines else "no message"
