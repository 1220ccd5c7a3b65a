"""A trial: one configuration and one seed; its identity is a hash of both and of the data."""

import hashlib
import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class Task(Protocol):
    """What a study runs: any training generator.

    It yields one dict of numbers an epoch, with at least `epoch` (from 1) and `loss`, and returns the dict of its results. Called
    again with the same folder it goes on where it was, and yields the epochs that it already has again. Under an initialised process
    group it is called on every worker alike.
    """

    def __call__(self, config: dict[str, Any], folder: Path) -> Generator[dict[str, Any], None, dict[str, Any]]: ...


@dataclass(frozen=True)
class Trial:
    """One run that a plan asks for."""

    id: str
    stage: str  # replica, search, beside, added, confirm or final
    arm: str
    seed: int
    point: dict[str, Any]  # the nuisance parameters and their values
    config: dict[str, Any]  # complete
    why: str = ""  # "default" or "as reported" beside the search


def trial_id(config: dict[str, Any], fingerprint: str, seed: int) -> str:
    """Ten hexadecimal digits: the same for the same configuration, data and seed on every machine."""
    text = json.dumps([config, fingerprint, seed], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def title(space: str, trial: Trial) -> str:
    """A trial's name for people."""
    return f"{space} {trial.arm} {trial.stage} seed {trial.seed} {trial.id}"
