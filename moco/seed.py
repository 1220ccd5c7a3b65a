"""One seed a trial; each source of chance draws from a generator of its own, so that none disturbs another.

A generator is a function of (seed, source, epoch): a resumed epoch draws what the uninterrupted one would have drawn.
"""

from enum import IntEnum

import numpy as np
import torch


class Source(IntEnum):
    """What chance decides in one trial."""

    WEIGHTS = 0
    ORDER = 1
    VIEWS = 2
    SHUFFLE = 3  # of the keys, for batch norm
    QUEUE = 4
    PROBE = 5
    SPLIT = 6
    LABELS = 7  # shuffled, for the floor
    CLASSIFIER = 8  # its first weights
    FINETUNE = 9


def derived_seed(seed: int, source: Source, epoch: int = 0) -> int:
    """A 63-bit seed for one source of chance (numpy's SeedSequence: independent streams)."""
    return int(
        np.random.SeedSequence([seed, int(source), epoch]).generate_state(1, np.uint64)[0] >> 1
    )


def generator(seed: int, source: Source, epoch: int = 0) -> torch.Generator:
    """A CPU generator: the same draws on every device."""
    return torch.Generator().manual_seed(derived_seed(seed, source, epoch))


def seed_weights(seed: int, source: Source = Source.WEIGHTS) -> None:
    """torch's layers initialise themselves from the global generator, and only there is it used."""
    torch.manual_seed(derived_seed(seed, source))
