"""Random generators: each source of randomness in a trial draws from a generator of its own.

A generator is a function of (seed, source, epoch), so a resumed epoch draws the same numbers as an
uninterrupted one, and no source disturbs another.
"""

from enum import IntEnum

import numpy as np
import torch


class Source(IntEnum):
    """The sources of randomness in one trial. The numbers enter the seeds: never renumber."""

    WEIGHTS = 0  # initial weights of the encoder
    ORDER = 1  # of the training images
    VIEWS = 2
    SHUFFLE = 3  # of the keys, for shuffling batch norm
    QUEUE = 4  # initial keys
    PROBE = 5  # order of the images in the linear probe
    SPLIT = 6  # training images held out for validation
    LABELS = 7  # shuffled labels, the floor of every accuracy
    CLASSIFIER = 8  # initial weights of the classifier
    FINETUNE = 9
    FEW_LABELS = 10  # training images whose labels are used, where not all are
    LAYERS = 11  # what layers draw while they train, as dropout does


def derived_seed(seed: int, source: Source, epoch: int = 0) -> int:
    """A 63-bit seed for one source; numpy's SeedSequence makes the streams independent."""
    sequence = np.random.SeedSequence([seed, int(source), epoch])
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)


def make_generator(seed: int, source: Source, epoch: int = 0) -> torch.Generator:
    """A CPU generator: its numbers do not depend on the device of the trial."""
    return torch.Generator().manual_seed(derived_seed(seed, source, epoch))


def seed_weights(seed: int, source: Source = Source.WEIGHTS) -> None:
    """Seed torch's global generator, from which layers draw their initial weights."""
    torch.manual_seed(derived_seed(seed, source))


def seed_layers(seed: int, epoch: int, rank: int) -> None:
    """Seed it for an epoch, in which layers such as dropout draw from it, on each worker apart.

    Nothing else in the project uses the global generator.
    """
    torch.manual_seed(derived_seed(seed, Source.LAYERS, epoch) + rank)
