"""The options of a study, as the command or a program gives them."""

import math
from dataclasses import dataclass
from pathlib import Path

from study.errors import StudyError


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
    until_decided: int | None = None  # most searches or seeds of a study that goes on undecided
    max_hours: float = 0.0  # wall time; 0: no limit
    records: Path | None = None  # takes the records of a file of trials
    at_once: int = 1  # of those, trials side by side
    plan: bool = False
    adopt: tuple[Path, ...] = ()
    report: bool = False
    list: bool = False
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
        for name in ("workers", "cores", "at_once"):
            if (value := getattr(self, name)) < 1:
                raise StudyError(f"--{name.replace('_', '-')} must be 1 or more; got {value}")
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
        if self.report and (self.adopt or self.plan):
            raise StudyError("--report goes with neither --adopt nor --plan: it only draws")

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
        """The command's words without those that were meant once: they run the study again."""
        kept: tuple[str, ...] = ()
        skip = False
        for word in self.words:
            if not skip and word != "--plan" and not word.startswith("--adopt"):
                kept = (*kept, word)
            skip = word == "--adopt"
        return kept
