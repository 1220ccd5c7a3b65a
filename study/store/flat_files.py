"""trials.csv and epochs.csv: the records for pandas and spreadsheets."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from study.design.record import Record
from study.store.atomic import atomic_writer

COLUMNS = (
    "trial", "stage", "arm", "seed", "status", "why", "seconds", "device", "commit", "started",
    "ended", "error",
)  # fmt: skip
OF_EPOCH = ("trial", "stage", "arm", "seed")
FLAT_FILES = ("trials.csv", "epochs.csv")
AT_ONCE = 50  # records, so that memory does not grow with their number


def trial_rows(record: Record) -> list[dict[str, Any]]:
    """One row: the record's own columns, then the fields of its config and result."""
    own = {name: getattr(record, name) for name in COLUMNS}
    config = {f"config.{name}": value for name, value in record.config.items()}
    return [{**own, **config, **{f"result.{name}": v for name, v in record.result.items()}}]


def epoch_rows(record: Record) -> list[dict[str, Any]]:
    """One row an epoch."""
    own = {name: getattr(record, name) for name in OF_EPOCH}
    return [{**own, **row} for row in record.curve]


def write_flat_files(folder: Path, records: list[Record]) -> None:
    """Write both files, each in one step."""
    for name, rows_of in zip(FLAT_FILES, (trial_rows, epoch_rows), strict=True):
        columns = dict.fromkeys(key for record in records for row in rows_of(record) for key in row)
        with atomic_writer(folder / name) as file:
            pd.DataFrame(columns=list(columns)).to_csv(file, index=False)
            for some in batches(records):
                rows = [row for record in some for row in rows_of(record)]
                frame = pd.DataFrame(rows, columns=list(columns), dtype=object)
                frame.to_csv(file, index=False, header=False)


def batches(records: list[Record]) -> Iterator[list[Record]]:
    """The records in their order, some at a time."""
    left = iter(records)
    while some := list(islice(left, AT_ONCE)):
        yield some
