"""Small made-up data for the tests of moco/."""

import numpy as np
import pytest
import torch

from moco.config import Config
from moco.data import Dataset, Split


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def made_split(images: int, size: int = 8, channels: int = 3, seed: int = 0) -> Split:
    """Images of three classes that differ in brightness, with noise."""
    draws = np.random.default_rng(seed)
    labels = np.arange(images) % 3
    pixels = draws.integers(0, 120, (images, channels, size, size)) + labels[:, None, None, None] * 60
    return Split(torch.from_numpy(pixels.astype(np.uint8)), torch.from_numpy(labels))


@pytest.fixture
def dataset() -> Dataset:
    return Dataset("made", "made up", False, "moco_cifar", ("a", "b", "c"), made_split(96), made_split(30, seed=1), (0.4,) * 3, (0.2,) * 3, "f" * 64)


@pytest.fixture
def config() -> Config:
    """A run of a second or so, in exact float32."""
    return Config.of(
        {
            "dataset": "made", "image_size": 8, "width": 0.0625, "queue_size": 40, "batch_size": 16, "batch_norm_splits": 2, "epochs": 3,
            "precision": "float32", "device": "cpu", "probe_epochs": 5, "knn_every": 2, "lr": 0.1,
        }
    )  # fmt: skip
