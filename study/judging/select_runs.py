"""Which rows of a table count as runs, and which do not, counted and named."""

from typing import Any, NamedTuple

import pandas as pd

from study.errors import StudyError
from study.judging.columns import Columns
from study.judging.tables import RunTable
from study.text import count_words, join_words

MOST_ARMS = 30
MOST = 1e30  # beyond which a number counts as none, as in a study
SHOWN = 5  # rows that a sentence names
# columns of our own, named as no column of a table can be
ROW, ARM, UNIT, VALUE, STEP = ("\0row", "\0arm", "\0unit", "\0value", "\0step")
UNFINISHED = {
    "failed", "fail", "failure", "error", "crashed", "killed", "running", "pruned", "preempted",
    "waiting", "scheduled", "pending", "stopped", "canceled", "cancelled", "interrupted",
    "diverged",
}  # fmt: skip


class Run(NamedTuple):
    """A row that counts."""

    arm: str  # as the table says it
    seed: int
    value: float
    status: str  # finished, diverged: no finite number, failed: by its state
    row: int  # of the table, from 1
    state: str


class Selected(NamedTuple):
    """The runs of a table."""

    runs: list[Run]
    arms: list[str]  # in the order of the table
    seeds: tuple[int, ...]
    units: tuple[str, ...]  # by seed, what the table says, where that is no whole number
    paired: bool
    notes: list[str]  # sentences on rows that do not count
    differing: list[str]  # other columns in which the arms differ, with their values


def select_runs(table: RunTable, columns: Columns, stage: str | None) -> Selected:
    """The rows that count.

    Raises:
        StudyError: two rows are of one run and say different things, or fewer than two arms are
            left.
    """
    frame = table.frame.copy()
    frame[ROW] = range(1, len(frame) + 1)
    notes: list[str] = []
    frame = take_stage(frame, columns, stage, notes)
    for role in (columns.compare, columns.by):
        frame = drop_missing(frame, role, notes) if role else frame
    frame[ARM] = [cell_text(value) for value in frame[columns.compare]]
    frame[UNIT] = unit_names(frame, columns)
    frame[VALUE] = pd.to_numeric(frame[columns.metric], errors="coerce").astype(float)
    frame = prefer_finished(frame, columns, notes)
    ends = ""
    if columns.step:
        frame, ends = take_last_step(frame, columns, notes)
    frame = drop_doubles(frame, columns, notes) if columns.told_apart_by else frame
    arms = list(dict.fromkeys(frame[ARM]))
    if not 2 <= len(arms) <= MOST_ARMS:
        raise StudyError(
            f"--compare must name a column with 2 to {MOST_ARMS} values; {columns.compare} has "
            f"{len(arms)}"
        )
    if len(arms) == len(frame):
        raise StudyError(
            f"--compare must name a column whose values have several runs; every row of "
            f"{columns.compare} has one of its own"
        )
    paired = bool(columns.by) and has_pairs(frame)
    if columns.by and not paired:
        notes.append(f"No {columns.by} is in two arms: they are compared without pairs.")
    numbers, units = number_units(frame, paired=paired)
    runs = [
        Run(
            arm=row[ARM],
            seed=seed,
            value=row[VALUE],
            status=status_of(row, columns.state),
            row=row[ROW],
            state=cell_text(row[columns.state]) if columns.state else "",
        )
        for (_, row), seed in zip(frame.iterrows(), numbers, strict=True)
    ]
    return Selected(
        runs=runs,
        arms=arms,
        seeds=tuple(sorted(set(numbers))),
        units=units,
        paired=paired,
        notes=[*notes, *status_notes(runs, columns.metric)],
        differing=[*([ends] if ends else []), *differing_columns(frame, columns)],
    )


def cell_text(value: Any) -> str:
    """A cell as text: 3.0 as 3, since a column with gaps has no whole numbers."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def unit_names(frame: pd.DataFrame, columns: Columns) -> list[str]:
    """What tells an arm's rows apart: seed or fold, else the run; a row without one is a run."""
    if not columns.told_apart_by:
        return [""] * len(frame)
    cells = zip(frame[columns.told_apart_by], frame[ROW], strict=True)
    return [f"\0{row}" if pd.isna(value) else cell_text(value) for value, row in cells]


def list_rows(rows: "pd.Series[Any]") -> str:
    """The first few row numbers, and how many more there are."""
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"row{'' if len(rows) == 1 else 's'} {', '.join(map(str, rows[:SHOWN]))}{more}"


def take_stage(
    frame: pd.DataFrame, columns: Columns, stage: str | None, notes: list[str]
) -> pd.DataFrame:
    """The rows of a stage.

    Raises:
        StudyError: there are several and none is named, or it is not there.
    """
    if not columns.stage:
        if stage is not None:
            raise StudyError("--stage needs a column named stage, split or phase; there is none")
        return frame
    texts = frame[columns.stage].map(cell_text)
    known = list(dict.fromkeys(texts))
    if stage is None and len(known) > 1:
        raise StudyError(
            f"--stage must name one of {', '.join(known)}: the column {columns.stage} has several"
        )
    if stage is not None and stage not in known:
        raise StudyError(f"--stage must be one of {', '.join(known)}; got {stage!r}")
    taken = frame[texts == stage] if stage is not None else frame
    if len(taken) < len(frame):
        left = count_words(len(frame) - len(taken), "row")
        notes.append(f"Only the stage {stage} counts; {left} of others do not.")
    return taken.copy()


def drop_missing(frame: pd.DataFrame, column: str, notes: list[str]) -> pd.DataFrame:
    """The rows that say something there."""
    missing = frame[column].isna() | (frame[column].astype(str).str.strip() == "")
    if missing.any():
        rows = frame.loc[missing, ROW]
        notes.append(
            f"{count_words(len(rows), 'row')} without {column}: not counted, {list_rows(rows)}."
        )
    return frame[~missing].copy()


def prefer_finished(frame: pd.DataFrame, columns: Columns, notes: list[str]) -> pd.DataFrame:
    """Without rows of runs that did not finish where the same run did, as after a restart."""
    if not (columns.state and columns.told_apart_by):
        return frame
    ended = ~frame[columns.state].map(is_unfinished)
    again = frame.groupby([ARM, UNIT])[ROW].transform(lambda rows: ended[rows.index].any())
    replaced = ~ended & again.astype(bool)
    if replaced.any():
        rows = frame.loc[replaced, ROW]
        notes.append(
            f"{count_words(len(rows), 'row')} of runs that finished in another row: "
            f"{list_rows(rows)}."
        )
    return frame[~replaced].copy()


def take_last_step(
    frame: pd.DataFrame, columns: Columns, notes: list[str]
) -> tuple[pd.DataFrame, str]:
    """Of several rows of a run the last by its step that has the metric; where runs end apart.

    Raises:
        StudyError: there are several steps, and no column tells runs apart.
    """
    step = columns.step
    frame = frame.assign(**{STEP: pd.to_numeric(frame[step], errors="coerce")})
    keys = [ARM, UNIT]
    if not columns.told_apart_by:
        if frame.groupby(ARM)[STEP].nunique().max() > 1:
            raise StudyError(
                f"the column {step} has several steps, so a run has several rows; name the column "
                "that tells runs apart with --by, as a seed or the run's name"
            )
        return frame, ""
    if not frame.duplicated(keys).any():
        return frame, ""
    known = frame[VALUE].notna() | ~frame.groupby(keys)[VALUE].transform(lambda v: v.notna().any())
    known = known.astype(bool)
    last = frame[known].groupby(keys)[STEP].transform("max")
    kept = frame[known][(frame[known][STEP] == last) | last.isna()]
    steps = kept.groupby(keys)[STEP].max()
    low, high = cell_text(float(steps.min())), cell_text(float(steps.max()))
    at = f"{step} {low}" if low == high else f"{step} {low} to {high}"
    notes.append(f"Of each run the last row with a number counts, at {at}.")
    return kept, "" if low == high else f"the {step} at which runs end ({low} to {high})"


def drop_doubles(frame: pd.DataFrame, columns: Columns, notes: list[str]) -> pd.DataFrame:
    """One row a run.

    Raises:
        StudyError: two rows of a run have different numbers.
    """
    unit_name = columns.told_apart_by
    doubled = frame[frame.duplicated([ARM, UNIT], keep=False)]
    for (arm, unit), rows in doubled.groupby([ARM, UNIT], sort=False):
        if rows[VALUE].nunique(dropna=False) > 1:
            raise StudyError(
                f"each {columns.compare} must have one row a {unit_name}; {arm}, {unit_name} "
                f"{unit} has several with different {columns.metric}: {list_rows(rows[ROW])}. "
                "Name a column that tells runs apart with --by, or choose rows with --stage"
            )
    copies = frame.duplicated([ARM, UNIT])
    if copies.any():
        rows = frame.loc[copies, ROW]
        notes.append(
            f"{count_words(len(rows), 'copy')} of another row: not counted, {list_rows(rows)}."
        )
    return frame[~copies].copy()


def has_pairs(frame: pd.DataFrame) -> bool:
    """Whether some unit has runs of two arms."""
    return bool((frame.groupby(UNIT)[ARM].nunique() > 1).any())


def number_units(frame: pd.DataFrame, *, paired: bool) -> tuple[list[int], tuple[str, ...]]:
    """A number for each row: its unit's, or unpaired its place in its arm; names of the units."""
    if not paired:
        return [int(k) + 1 for k in frame.groupby(ARM).cumcount()], ()
    units = list(dict.fromkeys(frame[UNIT]))
    if all(unit.isascii() and unit.isdigit() and len(unit) < 10 for unit in units):
        return [int(unit) for unit in frame[UNIT]], ()
    names = sorted(units)
    numbers = {unit: k for k, unit in enumerate(names, start=1)}
    return [numbers[unit] for unit in frame[UNIT]], tuple(names)


def is_unfinished(state: Any) -> bool:
    """Whether a state is that of a run without an end; an unknown word is none."""
    return cell_text(state).rpartition(".")[2].lower() in UNFINISHED


def status_of(row: "pd.Series[Any]", state: str) -> str:
    """How a run ended."""
    if state and is_unfinished(row[state]):
        return "failed"
    return "finished" if abs(row[VALUE]) <= MOST else "diverged"  # False of NaN


def status_notes(runs: list[Run], metric: str) -> list[str]:
    """Sentences on runs without a number."""
    notes = []
    for status, words in (("failed", "not finished"), ("diverged", f"without a finite {metric}")):
        rows = pd.Series([run.row for run in runs if run.status == status])
        if len(rows):
            notes.append(f"{count_words(len(rows), 'run')} {words}: {list_rows(rows)}.")
    return notes


def differing_columns(frame: pd.DataFrame, columns: Columns) -> list[str]:
    """Other columns that have one value in each arm, and not the same in all."""
    own = {columns.compare, columns.by, columns.metric, columns.step, columns.state, columns.stage}
    found = []
    for name in frame.columns:
        if name in own or str(name).startswith("\0"):
            continue
        texts = frame[name].map(cell_text)
        values = texts.groupby(frame[ARM], sort=False).agg(lambda cells: sorted({*cells}))
        if all(len(one) == 1 for one in values) and len({one[0] for one in values}) > 1:
            shown = join_words([f"{one[0]} for {arm}" for arm, one in values.items()][:3])
            more = ", …" if len(values) > 3 else ""
            found.append(f"{name} ({shown}{more})")
    return found
