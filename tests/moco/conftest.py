"""Small synthetic data for the tests of moco/."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from moco.config import Config
from moco.data.dataset import Dataset, Split

# The expected numbers and messages are those of a CPU, so GPUs are hidden before torch looks for
# them; TEST_GPU=1 leaves them visible.
if "TEST_GPU" not in os.environ:
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def synthetic_split(images: int, size: int = 8, channels: int = 3, seed: int = 0) -> Split:
    """Images of three classes that differ in brightness, with noise."""
    generator = np.random.default_rng(seed)
    labels = np.arange(images) % 3
    noise = generator.integers(0, 120, (images, channels, size, size))
    pixels = noise + labels[:, None, None, None] * 60
    return Split(torch.from_numpy(pixels.astype(np.uint8)), torch.from_numpy(labels))


@pytest.fixture
def dataset() -> Dataset:
    return Dataset(
        name="made",
        title="made up",
        bundled=False,
        views="moco_cifar",
        classes=("a", "b", "c"),
        train=synthetic_split(96),
        test=synthetic_split(30, seed=1),
        extra=None,
        extra_name="",
        mean=(0.4,) * 3,
        std=(0.2,) * 3,
        modes={},
        sizes={},
        fingerprint="f" * 64,
    )


@pytest.fixture
def config() -> Config:
    """A run of a second or so, in exact float32."""
    return Config.of(
        {
            "dataset": "made",
            "image_size": 8,
            "width": 0.0625,
            "queue_size": 40,
            "batch_size": 16,
            "batch_norm_splits": 2,
            "epochs": 3,
            "precision": "float32",
            "device": "cpu",
            "probe_epochs": 5,
            "knn_every": 2,
            "lr": 0.1,
        }
    )


@pytest.fixture
def make_folder():
    """A function that fills a folder with small images in the layout of a dataset."""

    def make(root, classes=("cat", "dog"), count=12, mode="RGB", size=(20, 24)):
        generator = np.random.default_rng(0)
        for split in ("train", "test"):
            for name in classes:
                (root / split / name).mkdir(parents=True)
                for i in range(count):
                    pixels = generator.integers(0, 255, (*size, 3), dtype=np.uint8)
                    image = Image.fromarray(pixels).convert(mode)
                    image.save(root / split / name / f"{i}.png")
        return root

    return make
