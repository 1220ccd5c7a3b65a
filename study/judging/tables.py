"""Tables of runs as people have them: one row a run, or a row a run and step."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from study.errors import StudyError
from study.files import check_regular, read_text
from study.judging.mlflow_database import read_mlflow_runs
from study.search.trials_table import read_optuna_trials
from study.text import join_words
from study.typed import why_unread

ADDRESSES = ("sqlite://", "mysql://", "mysql+", "postgresql://", "postgresql+")
SEPARATORS = (",", ";", "\t")


class RunTable(NamedTuple):
    """Runs as a table."""

    frame: pd.DataFrame
    kind: str  # what was read
    sha256: str  # of the table's content
    higher: dict[str, bool] = {}  # whether higher is better, by column, where the source says so  # noqa: RUF012
    notes: tuple[str, ...] = ()  # sentences on what could not be read


def read_runs(source: str) -> RunTable:
    """The runs of a file, a folder of TensorBoard's event files, or a database.

    Raises:
        StudyError: there is none, or it cannot be read.
    """
    try:
        frame, kind = read_source(source)
    except (OSError, OverflowError, RecursionError, MemoryError) as error:
        raise StudyError(
            f"--judge must name runs that can be read; {source[:200]} cannot "
            f"({type(error).__name__}: {str(error)[:200]})"
        ) from None
    if frame.empty or not len(frame.columns):
        raise StudyError(f"--judge must name runs; {source} holds none")
    higher, notes = frame.attrs.get("higher", {}), tuple(frame.attrs.get("notes", ()))
    frame = frame.apply(as_percent)
    frame.columns = [str(name).strip() for name in frame.columns]
    text = frame.to_json(orient="split", double_precision=15, default_handler=str)
    return RunTable(frame, kind, hashlib.sha256(text.encode()).hexdigest(), higher, notes)


def read_source(source: str) -> tuple[pd.DataFrame, str]:
    """The table of a source, and what it is.

    Raises:
        StudyError: there is none, or it cannot be read.
    """
    if source.startswith(ADDRESSES):
        frame, kind = read_database(source)
    elif Path(source).is_dir():
        # tensorboardX, whose protocol buffers it reads, loads torch where that is installed
        from study.judging.event_files import event_files, read_event_files

        if not event_files(Path(source)):
            raise StudyError(
                f"--judge takes a folder of TensorBoard's event files; {source} has none"
            )
        frame, kind = read_event_files(Path(source)), "event files of TensorBoard"
    else:
        frame, kind = read_file(Path(source))
    return frame, kind


def as_percent(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column of texts such as "81.3 %" as numbers of percent; another one as it is."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column
    texts = column.dropna().astype(str).str.strip()
    if texts.empty or not texts.str.endswith("%").all():
        return column
    return pd.to_numeric(column.astype(str).str.strip().str.removesuffix("%"), errors="coerce")


def read_file(path: Path) -> tuple[pd.DataFrame, str]:
    """The table of a file, by its ending.

    Raises:
        StudyError: it is not there, has another ending, or cannot be read as what it says it is.
    """
    if (reader := READERS.get(path.suffix.lower())) is None:
        raise StudyError(
            f"--judge takes a file that ends in {join_words(list(READERS))}, a folder of event "
            f"files, or a database as sqlite:///runs.db; got {path}"
        )
    try:
        check_regular(path)
        return reader(path), f"{path.suffix.lower()[1:].upper()} file"
    except FileNotFoundError:
        raise StudyError(f"--judge must name runs; {path} is not there") from None
    except UnicodeDecodeError:
        raise StudyError(f"{path} must be a table of runs in UTF-8; save it as that") from None
    except (OSError, ValueError, TypeError, ImportError, LookupError) as error:
        reason = (why_unread(error).splitlines() or ["no reason given"])[0]
        raise StudyError(
            f"{path} must be a table of runs; it cannot be read as one ({reason})"
        ) from None


def read_csv(path: Path) -> pd.DataFrame:
    """A table with commas, semicolons or tabs, whichever its first line has most of."""
    with open(path, "rb") as file:
        encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    with open(path, encoding=encoding) as text:
        head = text.readline()
    separator = max(SEPARATORS, key=head.count)
    names = [name.strip() for name in next(csv.reader([head], delimiter=separator), [])]
    if twice := [name for name, count in Counter(names).items() if name and count > 1]:
        raise ValueError(f"two columns are named {twice[0]}; rename one")
    return pd.read_csv(
        path,
        sep=separator,
        encoding=encoding,
        skipinitialspace=True,
        keep_default_na=False,
        na_values=[""],
    )


def read_json(path: Path) -> pd.DataFrame:
    """A list of objects or one a line; what they hold in objects becomes columns as config.lr."""
    text = read_text(path)
    if text.lstrip().startswith("["):
        rows = json.loads(text)
    else:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a row is no object")
    return pd.json_normalize(rows)


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {  # by ending
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": pd.read_parquet,
    ".jsonl": read_json,
    ".ndjson": read_json,
    ".json": read_json,
}


def read_database(address: str) -> tuple[pd.DataFrame, str]:
    """The runs of MLflow's or the trials of Optuna's database.

    Raises:
        StudyError: it cannot be opened, or is of something else.
    """
    path = Path(address.removeprefix("sqlite:///").partition("?")[0])
    if address.startswith("sqlite:///") and not path.exists():
        raise StudyError(f"--judge must name runs; the database {path} is not there")
    frame = read_mlflow_runs(address)
    if frame is not None:
        return frame, "MLflow database"
    return read_optuna_trials(address), "Optuna database"
