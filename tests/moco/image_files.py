"""Folders of small images, tables of labels and files of arrays, as people have them."""

import json

import numpy as np
from PIL import Image

CLASSES = ("cat", "dog")


def fill(folder, count=40, start=0, size=(12, 10)):
    """A folder with so many small images, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        place = [*folder.parent.name.encode(), *folder.name.encode()]
        pixels = np.random.default_rng([i, *place]).integers(0, 255, (*size, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")


def fill_splits(root, *splits):
    for split in splits:
        for name in CLASSES:
            fill(root / split / name)


def fill_table(root, name, column_names, *, splits=(), unlabelled=0):
    """A folder of images with a table of labels; splits are given to the images in turn."""
    fill(root, 200)
    file, label, split = column_names
    rows = []
    for i in range(200):
        row = {file: f"{i}.png", label: "" if i < unlabelled else CLASSES[i % 2]}
        rows.append(row | ({split: splits[i // 2 % len(splits)]} if splits else {}))
    if name.endswith(".jsonl"):
        text = "\n".join(map(json.dumps, rows))
    else:
        text = "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)])
    (root / name).write_text(text + "\n")


def save_arrays(root, shape=(12, 12, 3), splits=("train", "val", "test"), **more):
    draws = np.random.default_rng(0)
    arrays = {}
    for split in splits:
        arrays[f"{split}_images"] = draws.integers(0, 255, (80, *shape)).astype(np.uint8)
        arrays[f"{split}_labels"] = (np.arange(80) % 2)[:, None]
    np.savez(root.with_suffix(".npz"), **{**arrays, **more})
    return root.with_suffix(".npz")
