"""Synthetic images: one bright shape on a dim, mottled background.

Colour, place, size and rotation of the shape are random; every machine draws the same images.
"""

import math

import numpy as np

from moco.data.decoding import DecodedDataset

CLASSES = ("disc", "ring", "square", "triangle", "cross", "bar")
SIZE = 32  # pixels a side
COUNTS = (3000, 2000)  # images for training and test
SUPERSAMPLING = 3  # samples a pixel along each side


def draw_shapes(size: int = SIZE, counts: tuple[int, int] = COUNTS) -> DecodedDataset:
    """Training and test split, uint8 (N, 3, size, size)."""
    splits = []
    for part, count in enumerate(counts):
        labels = np.arange(count) % len(CLASSES)
        images = [
            draw_shape(int(label), size, np.random.default_rng([part, i]))
            for i, label in enumerate(labels)
        ]
        splits.append((np.stack(images), labels.astype(np.int64)))
    return DecodedDataset(classes=CLASSES, train=splits[0], test=splits[1])


def draw_shape(label: int, size: int, generator: np.random.Generator) -> np.ndarray:
    """One image of the class, uint8 (3, size, size)."""
    radius = generator.uniform(0.24, 0.36)  # as a share of the side
    x, y = generator.uniform(radius, 1 - radius, 2)
    angle = generator.uniform(0, 2 * math.pi)
    colour = generator.uniform(0.55, 1.0, 3)
    background = generator.uniform(0.1, 0.4, 3)
    colour[generator.integers(3)] = 1.0
    axis = (np.arange(size * SUPERSAMPLING) + 0.5) / (size * SUPERSAMPLING)
    dx, dy = np.meshgrid(axis - x, axis - y)
    u = (dx * math.cos(angle) + dy * math.sin(angle)) / radius
    v = (dy * math.cos(angle) - dx * math.sin(angle)) / radius
    samples = is_inside(CLASSES[label], u, v)
    cover = samples.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING).mean((1, 3))
    texture = draw_texture(size, generator)
    noise = generator.normal(0, 0.03, (3, size, size))
    ground = background[:, None, None] + texture + noise
    image = ground * (1 - cover) + colour[:, None, None] * cover
    return (image.clip(0, 1) * 255).round().astype(np.uint8)


def is_inside(name: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether points lie in the shape of radius 1 around (0, 0)."""
    r = np.hypot(u, v)
    # distance from the centre towards the nearest of the triangle's three sides
    side = np.maximum(v, np.maximum(-0.866 * u - 0.5 * v, 0.866 * u - 0.5 * v))
    return {
        "disc": r < 0.8,
        "ring": (r < 0.95) & (r > 0.55),
        "square": np.maximum(abs(u), abs(v)) < 0.7,
        "triangle": side < 0.5,
        "cross": (np.minimum(abs(u), abs(v)) < 0.25) & (np.maximum(abs(u), abs(v)) < 0.95),
        "bar": (abs(u) < 1.0) & (abs(v) < 0.35),
    }[name]


def draw_texture(size: int, generator: np.random.Generator) -> np.ndarray:
    """A smooth random field (size, size): the sum of four plane waves, about ± 0.1."""
    axis = np.arange(size) / size
    waves = np.zeros((size, size))
    frequencies = generator.integers(-3, 4, (2, 4))
    phases = generator.uniform(0, 2 * math.pi, 4)
    for fx, fy, phase in zip(*frequencies, phases, strict=True):
        waves += np.sin(2 * math.pi * (fx * axis[None] + fy * axis[:, None]) + phase)
    return 0.04 * waves
