"""The options of a study, as the command or a program gives them."""

import math
import os
import re
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from study.errors import StudyError
from study.text import hide_home, hide_passwords

MOST_DELTA = 1e30
READING = (  # options that run nothing
    "check", "verify", "report", "list", "judge", "export", "compare",
)  # fmt: skip
PLACES = ("out", "dataset", "weights", "trials", "judge", "records", "data_dir", "space")  # paths
WORDS = (  # options that take a word
    "space", "profile", "dataset", "out", "weights", "trials", "check", "address", "judge",
    "reference", "by", "metric", "stage",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """Everything that a study can be told; none of it is a hyperparameter.

    Raises:
        StudyError: an option cannot be meant.
    """

    space: str | None = None  # name, or path of a Python file
    profile: str | None = None  # quick, small or full; None: by what the machine has
    dataset: str | None = None  # name or folder; None: the profile's
    data_dir: Path = Path("data")
    out: str | None = None  # the study's folder, or an address
    set: tuple[str, ...] = ()  # KEY=VALUE
    range: tuple[str, ...] = ()  # NAME=LOW..HIGH
    weights: str | None = None  # name or file
    trials: str | None = None  # search trials of each arm; with `records` a file of trials
    searches: int | None = None  # independent searches of each arm
    seeds: int | None = None  # final seeds of each arm and search
    replica: bool = False  # also on data of one's own, where the report measured nothing
    until_decided: int | None = None  # most searches or seeds of a study that goes on undecided
    max_hours: float = 0.0  # wall time; 0: no limit
    records: Path | None = None  # takes the records of a file of trials
    at_once: int = 1  # of those, trials side by side
    plan: bool = False
    adopt: tuple[Path, ...] = ()
    report: bool = False
    check: str | None = None  # claim whose verdict is the exit code
    verify: bool = False
    list: bool = False
    export: tuple[str, ...] = ()  # latex, csv or svg, and the folder that takes it
    judge: str | None = None  # runs that were made elsewhere: file, folder or database
    compare: tuple[str, ...] = ()  # of those the column of arms; else studies' folders
    reference: str | None = None  # the arm that others are compared with
    by: str | None = None  # column that pairs runs; "none": they are not paired
    metric: str | None = None
    stage: str | None = None
    higher: bool | None = None  # whether a higher metric is better; None: by its name
    delta: float | None = None  # smallest difference that matters, in the metric's unit
    address: str = ""  # of a Ray cluster
    workers: int = 1  # data-parallel workers of a trial
    cores: int = 1  # CPU cores of a worker
    gpus: float | None = None  # of a worker; None: measured
    mlflow: str = ""
    wandb: str = ""
    words: tuple[str, ...] = ()  # of the command, for the study's file
    program: str = "python run_study.py"  # how it is called
    code: tuple[Path, ...] = ()  # packages that nodes of a cluster are sent
    modules: tuple[str, ...] = ()  # modules that nodes are sent by value: a space's own file

    def __post_init__(self) -> None:
        self._expand_home()
        for name in WORDS:
            value = getattr(self, name)
            if value is not None and ("\0" in value or (not value and name != "address")):
                raise StudyError(f"--{name} must be a word without NUL bytes; got {value!r}")
        if self.out and re.match(r"[\w+.-]*:/+$|s3:///", self.out):
            raise StudyError(
                f"--out must name a place at its address, as s3://bucket/study; got {self.out!r}"
            )
        for name in ("workers", "cores", "at_once"):
            if (count := getattr(self, name)) < 1:
                raise StudyError(f"--{name.replace('_', '-')} must be 1 or more; got {count}")
        if self.gpus is not None and not 0 <= self.gpus <= 1:
            raise StudyError(
                f"--gpus must lie in [0, 1], since a worker uses one GPU at most; got {self.gpus:g}"
            )
        if self.gpus not in (None, 0, 1) and self.workers > 1:
            raise StudyError(
                f"--gpus must be 0 or 1 where a trial has several workers; got {self.gpus:g} with "
                f"--workers {self.workers}"
            )
        if not 0 <= self.max_hours < math.inf:
            raise StudyError(f"--max-hours must be 0 (no limit) or more; got {self.max_hours}")
        if self.workers > 1 and (self.adopt or (self.plan and self.out)):
            raise StudyError(
                "--plan with --out, and --adopt, are for trials of one worker: elsewhere each runs "
                "in one process; leave out --workers"
            )
        if self.delta is not None and not 0 <= self.delta <= MOST_DELTA:
            raise StudyError(f"--delta must be 0 or more, at most 1e30; got {self.delta}")
        of_study = ("space", "profile", "dataset", "weights", "trials", "searches", "seeds")
        given = [f"--{name}" for name in of_study if getattr(self, name) is not None]
        if self.judge and (given or self.set or self.range or self.until_decided):
            raise StudyError(
                f"--judge takes the runs as they are; {', '.join(given) or 'what else was given'} "
                "is for a study that is run"
            )
        if (self.judge or self.compare) and self.out and "://" in self.out:
            what = "--judge" if self.judge else "--compare"
            raise StudyError(f"{what} writes to a folder of this machine; got --out {self.out}")
        self._check_actions()

    def _expand_home(self) -> None:
        """Write out a `~` at the beginning of a path, which the shell leaves where it is quoted.

        Raises:
            StudyError: this user has no home folder.
        """
        for name in PLACES:
            value = getattr(self, name)
            if value is not None and re.match(r"~(/|$)", str(value)):
                whole = os.path.expanduser(str(value))
                if whole.startswith("~"):
                    raise StudyError(f"--{name} must be a path; got {value}, and HOME is not set")
                object.__setattr__(self, name, type(value)(whole))

    def _check_actions(self) -> None:
        """Check that at most one thing is asked for instead of running.

        Raises:
            StudyError: there are two.
        """
        of_judge = ("reference", "by", "metric", "stage", "higher", "delta")
        if not self.judge and any(getattr(self, name) is not None for name in of_judge):
            raise StudyError(
                "--reference, --by, --metric, --stage, --higher, --lower and --delta are for runs "
                "that --judge names"
            )
        given = {
            f"--{name}": getattr(self, name)
            for name in (*READING, "plan", "adopt", "records")
            if not (self.judge and name == "compare")  # there it names a column
        }
        asked = [name for name, value in given.items() if value]
        if len(asked) > 1 and asked[0].removeprefix("--") in READING:
            raise StudyError(f"{asked[0]} goes with none of {', '.join(asked[1:])}: it only reads")
        if self.records and len(asked) > 1:
            raise StudyError(f"--records runs the trials of a file; leave out {asked[0]}")

    @property
    def search_trials(self) -> int | None:
        """--trials as a number.

        Raises:
            StudyError: it is none.
        """
        if self.trials is None:
            return None
        try:
            return int(self.trials)
        except ValueError:
            raise StudyError(
                "--trials must be a number of search trials, or with --records a file of trials; "
                f"got {self.trials!r}"
            ) from None

    @property
    def lasting_words(self) -> tuple[str, ...]:
        """The command's words without those that were meant once: they run the study again.

        Passwords in addresses and the name of the home folder are left out: a study's folder is
        handed around.
        """
        kept: tuple[str, ...] = ()
        skip = False
        for word in self.words:
            if not skip and word != "--plan" and not word.startswith("--adopt"):
                kept = (*kept, hide_home(hide_passwords(word)))
            skip = word == "--adopt"
        return kept


KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a word",
    Path: "a path",
}


def check_kind(name: str, value: object) -> None:
    """Check that a value can be meant by an option of that name, also where a word stands for it.

    Raises:
        StudyError: it is of another kind.
    """
    hint = get_type_hints(Options)[name]
    if get_origin(hint) is tuple:
        (kind, _), values, words = get_args(hint), value, "a list of words"
        right = isinstance(values, list | tuple) and all(is_kind(one, kind) for one in values)
    else:
        kinds = [kind for kind in get_args(hint) or (hint,) if kind is not types.NoneType]
        words = KINDS[kinds[0]]
        right = any(is_kind(value, kind) for kind in kinds) or (
            value is None and len(kinds) < len(get_args(hint))
        )
        right = right or (name == "trials" and is_kind(value, int))
    if not right:
        raise StudyError(f"{name} must be {words}; got {value!r}")


def is_kind(value: object, kind: Any) -> bool:
    """Whether a value is of a kind: whole numbers are numbers, words and paths are either."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(
        value, {float: int | float, str: str | Path, Path: str | Path}.get(kind, kind)
    )
