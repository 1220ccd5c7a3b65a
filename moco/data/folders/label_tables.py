"""Folders of images whose labels stand in a table: CSV, or Hugging Face's metadata files."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from moco.data.checks import DataError, check_classes, quote_names
from moco.data.folders.image_files import Skipped, add_skipped, scan
from moco.data.folders.listing import (
    SPLITS,
    UNLABELLED,
    Files,
    Listing,
    assign_splits,
    class_order,
    split_by_seed,
    without_labels,
)

TABLES = ("labels.csv", "metadata.csv", "metadata.jsonl")  # in the order in which one is taken
COLUMNS = {  # by what they hold: the names that are taken, in lower case
    "file": ("file_name", "filename", "file", "image", "path"),
    "label": ("label", "class", "category", "target"),
    "split": ("split", "subset", "partition", "set"),
}


class Row(NamedTuple):
    """A row of a table of labels."""

    path: Path
    label: str  # empty: none
    split: str  # of SPLITS' values; empty: the table does not say


class Table(NamedTuple):
    """A table of labels."""

    file: Path
    columns: dict[str, str]  # by what they hold
    rows: list[Row]  # sorted by file


def find_table(folder: Path) -> Path | None:
    """The table of labels of a folder; None where there is none."""
    return next((folder / name for name in TABLES if (folder / name).is_file()), None)


def list_table(root: Path, file: Path) -> Listing:
    """The images that a table of labels names.

    Raises:
        DataError: the table cannot be read, lacks a column, or names what is not there.
    """
    table = read_table(file)
    columns, labelled = table.columns, [row for row in table.rows if row.label]
    classes = class_order({row.label for row in labelled})
    if len(classes) < 2:
        raise DataError(
            "a dataset needs at least two classes, else any model is always right; the column "
            f"{columns['label']!r} of {file} has {len(classes)}"
        )
    what = f"{file.name} with the columns {columns['file']} and {columns['label']}"
    skipped = unnamed_files(root, table)
    named = {row.split for row in labelled}
    if named in ({""}, {"train"}):
        files = label_rows(labelled, classes)
        listing = split_by_seed(files, classes, what=what, skipped=skipped)
    elif "train" not in named or "" in named:
        raise DataError(
            f"the column {columns['split']!r} of {file} must give every labelled file a split, and "
            "some the split train"
        )
    else:
        files_of = {
            split: label_rows([row for row in labelled if row.split == split], classes)
            for split in sorted(named)
        }
        names = {split: split for split in files_of}
        listing = assign_splits(files_of, classes, names=names, skipped=skipped)
        listing = listing._replace(layout=f"{what}: {listing.layout}")
    return add_rows_without_labels(listing, table)


def add_rows_without_labels(listing: Listing, table: Table) -> Listing:
    """The listing with the files of rows that have no label as a further split."""
    if not (paths := [row.path for row in table.rows if not row.label]):
        return listing
    return listing._replace(
        layout=f"{listing.layout}; {len(paths):,} rows without a label",
        splits={**listing.splits, "unlabelled": without_labels(paths)},
    )


def unnamed_files(root: Path, table: Table) -> dict[str, Skipped]:
    """What is skipped in the folder of a table, images that it does not name among it."""
    below, named = scan(root, (*TABLES, *UNLABELLED)), {row.path for row in table.rows}
    if not (others := [path for path in below.files if path not in named]):
        return below.skipped
    first = others[0].relative_to(root).as_posix()
    return {**below.skipped, f"not named in {table.file.name}": Skipped(len(others), first)}


def list_split_tables(root: Path, folders: Mapping[str, Path]) -> Listing:
    """Split folders with a table of labels in each (Hugging Face's layout).

    Raises:
        DataError: a split has no table, or a row of one no label.
    """
    tables: dict[str, Table] = {}
    for split, folder in folders.items():
        if (file := find_table(folder)) is None:
            raise DataError(
                "every split must have its table of labels as the others have; "
                f"{folder.name}/ of {root} has none"
            )
        tables[split] = read_table(file)
        if bare := next((row.path for row in tables[split].rows if not row.label), None):
            raise DataError(f"every row of {file} must have a label; that of {bare} has none")
    names = {split: f"{folder.name}/" for split, folder in folders.items()}
    labels = {
        names[split]: class_order({row.label for row in table.rows})
        for split, table in tables.items()
    }
    check_classes(labels, where=str(root))
    classes = labels[names["train"]]
    files = {split: label_rows(table.rows, classes) for split, table in tables.items()}
    skipped = add_skipped(
        (folder.name, unnamed_files(folder, tables[split])) for split, folder in folders.items()
    )
    if set(files) == {"train"}:
        what = f"{names['train']} with its table"
        return split_by_seed(files["train"], classes, what=what, skipped=skipped)
    return assign_splits(files, classes, names=names, skipped=skipped)


def label_rows(rows: Sequence[Row], classes: Sequence[str]) -> Files:
    """Rows with the numbers of their classes."""
    number = {name: i for i, name in enumerate(classes)}
    return Files([row.path for row in rows], [number[row.label] for row in rows])


def read_table(file: Path) -> Table:
    """A table of labels.

    Raises:
        DataError: it cannot be read, lacks a column, names a split that is none, or a file that is
            not there, lies elsewhere, or was named before.
    """
    try:
        values = PARSERS[file.suffix](file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        reason = "it is no text in UTF-8" if isinstance(error, UnicodeError) else error
        raise DataError(f"{file} must be a table of files and labels ({reason})") from None
    columns = find_columns(file, list(values[0]) if values else [])
    split_column = columns.get("split", "")
    rows, unknown = [], set()
    for one in values:
        word = as_word(one.get(split_column)).lower()
        if word and word not in SPLITS:
            unknown.add(word)
        path = file.parent / as_word(one.get(columns["file"]))
        rows.append(Row(path, as_word(one.get(columns["label"])), SPLITS.get(word, "")))
    if unknown:
        raise DataError(
            f"the column {split_column!r} of {file} must hold train, test or validation; got "
            f"{quote_names(sorted(unknown))}"
        )
    check_files(file, [row.path for row in rows])
    return Table(file, columns, sorted(rows))


def check_files(table: Path, paths: Sequence[Path]) -> None:
    """Check that a table names each file once, in its own folder, and none that is not there.

    Raises:
        DataError: it does not.
    """
    inside = table.parent.resolve()
    if outside := [path for path in paths if not path.resolve().is_relative_to(inside)]:
        raise DataError(f"{table} must name files in its own folder; it names {outside[0]}")
    if absent := [path.relative_to(table.parent) for path in paths if not path.is_file()]:
        names = quote_names([path.as_posix() for path in absent])
        raise DataError(f"{table} must name files that are there; {names} is not")
    if len(set(paths)) < len(paths):
        twice = next(path for i, path in enumerate(paths) if path in paths[:i])
        raise DataError(f"{table} must name each file once; it names {twice.name!r} again")


def as_word(value: Any) -> str:
    """A cell as a word; empty where it is empty or null."""
    return "" if value is None else str(value).strip()


def find_columns(file: Path, names: Sequence[str]) -> dict[str, str]:
    """The columns of a table by what they hold.

    Raises:
        DataError: none holds the files, or the labels.
    """
    found: dict[str, str] = {}
    for what, accepted in COLUMNS.items():
        for name in names:
            if name and name.strip().lower() in accepted:
                found.setdefault(what, name)
    for what in ("file", "label"):
        if what not in found:
            raise DataError(
                f"{file} must have a column of {what}s, named {' or '.join(COLUMNS[what])}; it has "
                f"{quote_names([str(name) for name in names]) or 'none'}"
            )
    return found


def parse_csv(text: str) -> list[dict[str, Any]]:
    """The rows of a CSV file by column."""
    return list(csv.DictReader(io.StringIO(text), strict=True))


def parse_json_lines(text: str) -> list[dict[str, Any]]:
    """The rows of a file with a JSON object in each line.

    Raises:
        ValueError: a line holds something else.
    """
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line holds no object")
    return rows


PARSERS: dict[str, Callable[[str], list[dict[str, Any]]]] = {
    ".csv": parse_csv,
    ".jsonl": parse_json_lines,
}
