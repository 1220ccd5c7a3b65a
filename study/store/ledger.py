"""records.jsonl: one line for every trial that ended."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from study.design.record import Record, final_records, parse_record
from study.errors import StudyError, why
from study.files import read_bytes
from study.store.chain import append_link, head_hash
from study.store.locks import lock_folder

FILE = "records.jsonl"
OPENING = b'{"trial"'  # of every line


class Ledger:
    """The records of a file and its one writer; it is locked until it is closed.

    Args:
        name: of the file; that of a study locks the whole folder.

    Attributes:
        plan: hash of the plan under which records are written.

    Raises:
        BlockingIOError: on opening, while another process writes to the same file.
        StudyError: on opening, where the file holds something else.
    """

    def __init__(self, folder: Path, name: str = FILE) -> None:
        self.plan = ""
        self._lock = lock_folder(folder, name=".lock" if name == FILE else f".{name}.lock")
        self.path = folder / name
        try:
            self.records = read_records(folder, name)
            self._mend_end()
        except BaseException:
            self._lock.release()
            raise
        self._final = set(final_records(self.records))

    def _mend_end(self) -> None:
        """Make the file end in a whole line.

        A record without its line's end gets one. Half a line, which a kill may have left, is moved
        into a file beside this one, and its trial is run again.
        """
        if not self.path.exists():
            return
        text = read_bytes(self.path)
        torn = text[text.rfind(b"\n") + 1 :]
        if not torn:
            return
        if is_record(torn):
            with open(self.path, "ab") as file:
                file.write(b"\n")
            return
        with open(self.path.with_name(f"{self.path.stem}-torn.txt"), "ab") as aside:
            aside.write(torn + b"\n")
        with open(self.path, "r+b") as file:
            file.truncate(len(text) - len(torn))

    def append(self, record: Record) -> None:
        """Add a line, on the disk when this returns, unless the trial has its final record."""
        self.extend([record])

    def extend(self, records: Iterable[Record]) -> None:
        """Add lines likewise, all in one write."""
        new, head = [], head_hash(self.records, self.plan)
        for record in records:
            if record.trial not in self._final:
                new.append(append_link(record, self.plan, head))
                head = head_hash(new[-1:], self.plan)
        if not new:
            return
        line = "".join(json.dumps(record.to_dict()) + "\n" for record in new).encode()
        with open(self.path, "ab", buffering=0) as file:
            size = file.tell()
            try:
                written = file.write(line)
                os.fsync(file.fileno())
                if written != len(line):
                    raise OSError("the disk is full")
            except OSError:
                file.truncate(size)  # half a line in the middle would spoil all that follow
                raise
        self.records += new
        self._final |= set(final_records(new))

    def close(self) -> None:
        """Let another process write."""
        self._lock.release()


def is_record(line: bytes) -> bool:
    """Whether a line holds a record."""
    try:
        parse_record(line, "")
    except StudyError:
        return False
    return True


def read_records(folder: Path, name: str = FILE) -> list[Record]:
    """All whole lines in their order; none where there is no file.

    Raises:
        StudyError: a line in the middle is no record, the message gives its number; or the file
            ends in something that is neither a record nor the beginning of one.
    """
    path = folder / name
    if not path.exists():
        return []
    try:
        text = read_bytes(path)
    except OSError as error:
        raise StudyError(
            f"{path} must be a file of records; it cannot be read ({why(error)})"
        ) from None
    *lines, end = text.split(b"\n")
    if b"\r" in end or not end.startswith(OPENING[: len(end)]):
        raise StudyError(
            f"{path} must be a file of records, each line with a line feed at its end, or a new "
            "one; it ends in something else"
        )
    lines += [end] if end and is_record(end) else []  # else it is torn, as a kill leaves it
    return [
        parse_record(line, f"line {number} of {path}") for number, line in enumerate(lines, start=1)
    ]
