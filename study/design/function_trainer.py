"""A trainer made of a plain generator function, for spaces that need no data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from study.design.facts import DataFacts, Prepared
from study.design.trainer import Epochs, Fields, Request, Trainer
from study.design.words import Words


@dataclass(frozen=True)
class FunctionTrainer:
    """A trainer made of a generator function `train(config, folder)` and its default fields."""

    function: Callable[..., Epochs]
    defaults: Fields
    words: Words = field(default_factory=Words)
    seconds: float | None = None  # of one trial, where that is known

    def complete(self, fields: Fields) -> Fields:
        """The defaults with these fields, each of its default's type."""
        defaults = {"seed": 0, **self.defaults}
        for name, value in fields.items():
            if name not in defaults:
                raise ValueError(
                    f"{name} is no field of a trial; the fields are {', '.join(defaults)}"
                )
            kind = type(defaults[name])
            right = isinstance(value, (int, float) if kind is float else kind)
            if not right or isinstance(value, bool) != (kind is bool):
                raise ValueError(f"{name} must be a value like {defaults[name]!r}; got {value!r}")
        return {**defaults, **fields}

    def canonical(self, config: Fields) -> Fields:
        """The config as it is."""
        return config

    def prepare(self, request: Request) -> Prepared:
        """No data: the dataset's name is its fingerprint."""
        return Prepared(
            DataFacts(fingerprint=request.dataset, name=request.dataset, title=request.dataset)
        )

    def train(self, config: Fields, folder: Path, **inputs: Any) -> Epochs:
        """What the function yields and returns."""
        return self.function(config, folder)

    def estimate_seconds(
        self, configs: list[Fields], inputs: Mapping[str, Path], threads: int
    ) -> float | None:
        """As given."""
        return self.seconds

    def gpus(self) -> int:
        """None is used."""
        return 0

    def gpu_share(self, configs: list[Fields], inputs: Mapping[str, Path]) -> float:
        """No GPU is used."""
        return 0.0

    def set_threads(self, threads: int) -> None:
        """It has one."""


def from_function(
    function: Callable[..., Epochs], defaults: Fields, words: Words | None = None
) -> Trainer:
    """The trainer of a generator function that needs no data."""
    return FunctionTrainer(function, defaults, words or Words())
