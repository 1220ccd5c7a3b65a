"""Made-up images: one bright shape of any colour, place, size and turn on a dim, mottled ground. Drawn the same on every machine."""

import math
import numpy as np
from moco.data.image_folder import Raw

CLASSES = ("disc", "ring", "square", "triangle", "cross", "bar")
SIZE = 32  # pixels a side
COUNTS = (1500, 1200)  # images for training and test
FINER = 3  # samples a pixel and side


def shapes(size: int = SIZE, counts: tuple[int, int] = COUNTS) -> Raw:
    """Training and test split, RGB."""
    splits = []
    for part, count in enumerate(counts):
        labels = np.arange(count) % len(CLASSES)
        images = np.stack([drawn(int(label), size, np.random.default_rng([part, i])) for i, label in enumerate(labels)])
        splits.append((images, labels.astype(np.int64)))
    return Raw(CLASSES, splits[0], splits[1])


def drawn(label: int, size: int, draws: np.random.Generator) -> np.ndarray:
    """One image (3, size, size) of the class, uint8."""
    radius = draws.uniform(0.24, 0.36)  # of the side
    x, y = draws.uniform(radius, 1 - radius, 2)
    turn, colour, ground = draws.uniform(0, 2 * math.pi), draws.uniform(0.55, 1.0, 3), draws.uniform(0.1, 0.4, 3)
    colour[draws.integers(3)] = 1.0
    axis = (np.arange(size * FINER) + 0.5) / (size * FINER)
    dx, dy = np.meshgrid(axis - x, axis - y)
    u, v = (dx * math.cos(turn) + dy * math.sin(turn)) / radius, (dy * math.cos(turn) - dx * math.sin(turn)) / radius
    cover = inside(CLASSES[label], u, v).reshape(size, FINER, size, FINER).mean((1, 3))
    mottled = ground[:, None, None] + mottle(size, draws) + draws.normal(0, 0.03, (3, size, size))
    image = mottled * (1 - cover) + colour[:, None, None] * cover
    return (image.clip(0, 1) * 255).round().astype(np.uint8)


def inside(name: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether points lie in the shape of radius 1 around (0, 0)."""
    r = np.hypot(u, v)
    third = np.maximum(v, np.maximum(-0.866 * u - 0.5 * v, 0.866 * u - 0.5 * v))  # distance towards the nearest of three sides
    return {
        "disc": r < 0.8,
        "ring": (r < 0.95) & (r > 0.55),
        "square": np.maximum(abs(u), abs(v)) < 0.7,
        "triangle": third < 0.5,
        "cross": (np.minimum(abs(u), abs(v)) < 0.25) & (np.maximum(abs(u), abs(v)) < 0.95),
        "bar": (abs(u) < 1.0) & (abs(v) < 0.35),
    }[name]


def mottle(size: int, draws: np.random.Generator) -> np.ndarray:
    """A smooth random field (size, size) of a few waves, about ± 0.1."""
    axis = np.arange(size) / size
    waves = np.zeros((size, size))
    for fx, fy, phase in zip(*draws.integers(-3, 4, (2, 4)), draws.uniform(0, 2 * math.pi, 4), strict=True):
        waves += np.sin(2 * math.pi * (fx * axis[None] + fy * axis[:, None]) + phase)
    return 0.04 * waves
