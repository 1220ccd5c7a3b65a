"""The records of a study: one line of records.jsonl for every trial that ended. They are the truth about what is done."""

import fcntl
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import IO

from study.design.record import Record, final_records, record_of
from study.errors import StudyError


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
        line = (
            json.dumps(
                {
                    **{name: value for name, value in values.items() if name != "extra"},
                    **record.extra,
                }
            )
            + "\n"
        )
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
