"""What a trainer found before the plan, and what the plan says of its data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class DataFacts:
    """The data in numbers and in words, as the trainer gives them."""

    fingerprint: str  # of the content: part of every trial's identity
    name: str = ""
    title: str = ""  # for people
    bundled: bool = False  # toy data, no evidence about anything else
    own: bool = False  # the user's own, not a dataset that others know
    duplicates: int = 0  # test items that are also trained on
    classes: tuple[str, ...] = ()
    # items by split; "test" is what accuracies are measured on
    counts: dict[str, int] = field(default_factory=dict)
    # what guessing gives, by metric, in the result's scale
    chance: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()  # sentences on what may be wrong
    about: tuple[tuple[str, str, str], ...] = ()  # rows of the page's head: title, thing, size
    provenance: tuple[tuple[str, str], ...] = ()  # further rows of the page's section on provenance

    @property
    def test_items(self) -> int:
        """Items that accuracies are measured on; 0: not known."""
        return self.counts.get("test", 0)

    @classmethod
    def of(cls, facts: Any) -> "DataFacts":
        """The facts of any object that has some of these fields."""
        names = cls.__dataclass_fields__
        return cls(**{name: getattr(facts, name) for name in names if hasattr(facts, name)})


class Prepared(NamedTuple):
    """What a trainer found; see `study.design.trainer.Prepared`."""

    data: DataFacts
    fields: Mapping[str, Any] = NONE
    absent: Mapping[str, str] = NONE
    found: Mapping[str, dict[str, Any]] = NONE
    inputs: Mapping[str, Path] = NONE
    proposed: Mapping[str, Any] = NONE
