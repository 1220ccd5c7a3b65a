"""Ranges of nuisance parameters."""

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class LogRange:
    """A nuisance parameter's range, searched evenly in its logarithm."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise ValueError(f"a log range needs 0 < low < high; got {self.low} to {self.high}")

    @property
    def decades(self) -> float:
        """Width in powers of ten."""
        return math.log10(self.high / self.low)

    @property
    def middle(self) -> float:
        """The geometric mean of the ends."""
        return math.sqrt(self.low * self.high)


@dataclass(frozen=True)
class OneMinus:
    """A parameter near 1: its distance from 1 is searched evenly in the logarithm."""

    low: float  # of the distance
    high: float
    kind: str = field(default="one minus", init=False)

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < 1:
            raise ValueError(
                f"a distance from 1 needs 0 < low < high < 1; got {self.low} to {self.high}"
            )


@dataclass(frozen=True)
class Powers:
    """A whole power of two."""

    low: int
    high: int
    kind: str = field(default="power", init=False)

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high or any(
            value & (value - 1) for value in (self.low, self.high)
        ):
            raise ValueError(
                f"powers of two need two of them, the lower first; got {self.low} to {self.high}"
            )


@dataclass(frozen=True)
class Choice:
    """One of several words or numbers without an order."""

    among: tuple[Any, ...]
    kind: str = field(default="choice", init=False)


@dataclass(frozen=True)
class By:
    """A parameter whose range depends on another one.

    To a search these are different parameters that share a field.
    """

    parameter: str  # a Choice
    spans: dict[str, LogRange]  # by its value
    kind: str = field(default="by", init=False)


Span = LogRange | OneMinus | Powers | Choice | By
SPANS: dict[str, Any] = {"one minus": OneMinus, "power": Powers, "choice": Choice, "by": By}


def span_of(values: dict[str, Any]) -> Span:
    """The span that `dataclasses.asdict` and JSON made these values of."""
    rest = {name: value for name, value in values.items() if name != "kind"}
    kind = values.get("kind", "")
    if kind == "by":
        spans = {name: LogRange(**span) for name, span in rest["spans"].items()}
        return By(rest["parameter"], spans)
    return Choice(tuple(rest["among"])) if kind == "choice" else SPANS.get(kind, LogRange)(**rest)
