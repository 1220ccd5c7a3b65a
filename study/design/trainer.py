"""The contract of training: all that a study knows of what it studies.

Every search space names its trainer. `study.from_function` makes one of a plain
generator function.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Fields = dict[str, Any]
Epochs = Generator[dict[str, Any], None, dict[str, Any]]


@dataclass(frozen=True)
class Request:
    """What a study asks a trainer to prepare before its plan is made."""

    dataset: str  # a name that the trainer knows, or a folder
    data_dir: Path  # for downloads and decoded data
    shared: Fields  # fields of all trials
    arms: Mapping[str, Fields]  # fields in which an arm differs, by its name
    controls: Mapping[str, Fields]  # likewise of what runs beside the arms
    overrides: Fields  # of `shared`, those that the command set
    weights: str | None = None  # what --weights names: where training begins
    workers: int = 1  # data-parallel workers of a trial
    varied: frozenset[str] = frozenset()  # fields that arms set or search
    sized_for: str = ""  # dataset of the profile's sizes, where the command names another
    trains_here: bool = True  # this machine runs trials, and must have their device
    may_download: bool = False


class Prepared(Protocol):
    """What a trainer found; `study.design.facts.Prepared` is one."""

    @property
    def data(self) -> Any:
        """An object with the fields of DataFacts; those that it lacks have their defaults."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """Fields of all trials that follow from the request."""

    @property
    def absent(self) -> Mapping[str, str]:
        """Why an arm cannot be run here, by its name: "short: the whole sentence"."""

    @property
    def found(self) -> Mapping[str, Fields]:
        """Fields of an arm that were found here, as a file's SHA-256."""

    @property
    def inputs(self) -> Mapping[str, Path]:
        """Files and folders that `train` gets as keyword arguments, on every node."""

    @property
    def proposed(self) -> Mapping[str, Any]:
        """Fields of all trials that suit the data better than the profile's."""


class Trainer(Protocol):
    """Trains one configuration. ValueError says in a sentence what is wrong with fields or data."""

    @property
    def words(self) -> Any:
        """An object with the fields of Words; those that it lacks have their defaults."""

    def complete(self, fields: Fields) -> Fields:
        """All fields of a trial, JSON values, `seed` among them; checked as far as possible."""

    def canonical(self, config: Fields) -> Fields:
        """The config with equal things said in one way: trials of one canonical form are one."""

    def prepare(self, request: Request) -> Prepared:
        """Facts of the data, files for the nodes, and what is unavailable here."""

    def train(self, config: Fields, folder: Path, **inputs: Any) -> Epochs:
        """Yield one row of numbers an epoch and return the result.

        A row holds `epoch` (from 1) and `loss`. Called again with the same folder it continues
        from its checkpoint and yields the epochs that it already has again. Under an initialised
        process group it is called on every worker.
        """

    def estimate_seconds(
        self, configs: list[Fields], inputs: Mapping[str, Path], threads: int
    ) -> float | None:
        """Mean seconds of trials on this machine with so many CPU threads each; None: unknown."""

    def gpus(self) -> int:
        """GPUs of this machine that training can use."""

    def gpu_share(self, configs: list[Fields], inputs: Mapping[str, Path]) -> float:
        """The share of a GPU that a trial should get on this machine, as measured."""

    def set_threads(self, threads: int) -> None:
        """Let training in this process use so many CPU threads."""
