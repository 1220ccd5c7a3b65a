"""A trial: one configuration and one seed; its identity is a hash of both and of the data."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any


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
    """Ten hexadecimal digits: the same for the same config, data and seed on every machine."""
    text = json.dumps([config, fingerprint, seed], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def trial_title(space: str, trial: Trial) -> str:
    """A trial's name for people."""
    return f"{space} {trial.arm} {trial.stage} seed {trial.seed} {trial.id}"
