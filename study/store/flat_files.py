"""Tables of a study: flat frames of its records, and the numbers that figures and sentences are made of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from study.design.record import Record
from study.store.atomic import written_atomically


def trial_rows(record: Record) -> list[dict[str, Any]]:
    """One row: the record's own columns, then the fields of its config and result."""
    names = (
        "trial",
        "stage",
        "arm",
        "seed",
        "status",
        "why",
        "seconds",
        "device",
        "commit",
        "started",
        "ended",
        "error",
    )
    own = {name: getattr(record, name) for name in names}
    result = {f"result.{name}": value for name, value in record.result.items()}
    return [{**own, **{f"config.{name}": value for name, value in record.config.items()}, **result}]


def epoch_rows(record: Record) -> list[dict[str, Any]]:
    """One row an epoch."""
    return [
        {
            "trial": record.trial,
            "stage": record.stage,
            "arm": record.arm,
            "seed": record.seed,
            **row,
        }
        for row in record.curve
    ]


def write_flat(folder: Path, records: list[Record]) -> None:
    """trials.csv and epochs.csv: the records for pandas and spreadsheets, some at a time so that memory does not grow with them."""
    for name, rows_of in (("trials.csv", trial_rows), ("epochs.csv", epoch_rows)):
        columns = list(
            dict.fromkeys(column for record in records for row in rows_of(record) for column in row)
        )
        with written_atomically(folder / name) as file:
            pd.DataFrame(columns=columns).to_csv(file, index=False)
            for some in batched(records, 50):
                rows = [row for record in some for row in rows_of(record)]
                pd.DataFrame(rows, columns=columns, dtype=object).to_csv(
                    file, index=False, header=False
                )


def batched(records: list[Record], size: int) -> Iterator[list[Record]]:
    """The records in their order, so many at a time."""
    return (records[start : start + size] for start in range(0, len(records), size))
