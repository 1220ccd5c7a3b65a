"""Runs that were made elsewhere, by any program, and are judged as those of a study are."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class GivenRuns:
    """Where given runs were read, and what of them counts."""

    source: str  # the file, folder or address
    kind: str  # what it is, as "CSV file" or "Optuna database"
    unit: str  # the column that pairs runs, as "seed"; empty: they are not paired
    seeds: tuple[int, ...]  # that pair them, or numbers of their pairs; unpaired: numbers of runs
    units: tuple[str, ...] = ()  # by seed, what the column says, where that is no whole number
    columns: dict[str, str] = field(default_factory=dict)  # by role: compare, metric, by
    rows: int = 0  # of the source
    runs: int = 0  # of them, that are judged
    notes: tuple[str, ...] = ()  # sentences on what was guessed, and on rows that do not count
    # other columns in which the arms differ, with their values, as "lr (0.01; 0.1)"
    differing: tuple[str, ...] = ()

    @property
    def is_paired(self) -> bool:
        """Whether runs are compared by pairs."""
        return bool(self.unit)

    @property
    def noun(self) -> str:
        """What a run is one of: "seed", "fold"."""
        return self.unit or "run"

    def unit_name(self, seed: int) -> str:
        """What the source calls a pair."""
        names = dict(zip(self.seeds, self.units, strict=False))
        return names.get(seed, str(seed))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "GivenRuns":
        """What JSON made of it."""
        lists = {name: tuple(values[name]) for name in ("seeds", "units", "notes", "differing")}
        return cls(**{**values, **lists})
