"""A trainer made of a plain generator function."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from study.design.facts import DataFacts
from study.design.facts import Prepared as PlainPrepared
from study.design.functions.source import own_function, source_sha256
from study.design.trainer import Epochs, Fields, Prepared, Request, Trainer
from study.design.words import Words

CODE = "function_sha256"  # the field that holds the hash of the function's source


def name_of(function: Callable[..., Any]) -> str:
    """A function's name, also of a partial's or of a callable object's class."""
    return getattr(own_function(function), "__qualname__", repr(function))


def no_gpus() -> int:
    """None is used."""
    return 0


@dataclass(frozen=True)
class FunctionTrainer:
    """A trainer made of a generator function and its default fields; see `from_function`."""

    function: Callable[..., Epochs]
    defaults: Fields
    words: Words = field(default_factory=Words)
    find_data: Callable[[Request], Prepared] | None = None
    count_gpus: Callable[[], int] = no_gpus
    seconds: float | None = None  # of one trial, where that is known

    def complete(self, fields: Fields) -> Fields:
        """The defaults with these fields, each of its default's type."""
        code = {CODE: ""} if CODE in fields else {}
        defaults = {"seed": 0, **code, **self.defaults}
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
        """What `find_data` finds; without it the dataset's name is its fingerprint.

        Raises:
            ValueError: trials were planned with other code.
        """
        code = source_sha256(self.function)
        for fields in (*request.arms.values(), *request.controls.values()):
            if fields.get(CODE, code) != code:
                raise ValueError(
                    f"{name_of(self.function)} must be the code with which the trials were "
                    f"planned, SHA-256 {fields[CODE][:12]}…; that here has {code[:12]}…"
                )
        name = request.dataset
        data = DataFacts(fingerprint=name, name=name, title=name)
        found = self.find_data(request) if self.find_data else PlainPrepared(data)
        return PlainPrepared(
            data=found.data,
            fields={**found.fields, CODE: code},
            absent=found.absent,
            found=found.found,
            inputs=found.inputs,
            proposed=found.proposed,
        )

    def train(self, config: Fields, folder: Path, **inputs: Any) -> Epochs:
        """What the function yields and returns.

        Raises:
            TypeError: it returns something else than a generator does.
        """
        epochs = self.function(config, folder, **inputs)
        if not isinstance(epochs, Iterator):
            raise TypeError(
                f"{name_of(self.function)} must yield a row an epoch; it returned {epochs!r}"
            )
        return epochs

    def estimate_seconds(
        self, configs: list[Fields], inputs: Mapping[str, Path], threads: int
    ) -> float | None:
        """As given."""
        return self.seconds

    def gpus(self) -> int:
        """As `count_gpus` counts them."""
        return self.count_gpus()

    def gpu_share(self, configs: list[Fields], inputs: Mapping[str, Path]) -> float:
        """A whole GPU, where one is used."""
        return 1.0

    def set_threads(self, threads: int) -> None:
        """Left to the function: Ray sets OMP_NUM_THREADS for it."""


def from_function(
    function: Callable[..., Epochs],
    defaults: Fields,
    words: Words | None = None,
    find_data: Callable[[Request], Prepared] | None = None,
    count_gpus: Callable[[], int] = no_gpus,
) -> Trainer:
    """The trainer of a generator function, whose source is a part of every trial's identity.

    Args:
        function: `function(config, folder, **inputs)` yields a row an epoch and returns the result.
        defaults: the fields of a trial besides `seed`, with their usual values.
        words: what tables and page call the fields.
        find_data: finds the data of a study (`Trainer.prepare`); its inputs become the function's
            keyword arguments. None: the function needs no data, and gets none.
        count_gpus: GPUs of this machine that the function can use.

    Raises:
        TypeError: it is no function.
    """
    if not callable(function):
        raise TypeError(f"from_function takes a generator function; got {function!r}")
    words = words or Words()
    known = replace(
        words,
        set_by_study=(*words.set_by_study, CODE),
        inputs={CODE: "Trainer's source", **words.inputs},
        epochs=words.epochs or ("epochs" if "epochs" in defaults else ""),
    )
    return FunctionTrainer(
        function, defaults, words=known, find_data=find_data, count_gpus=count_gpus
    )
