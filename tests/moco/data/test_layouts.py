"""Images as people have them: each layout is read as its owner means it, and the reading is said."""

import os
import sys

import pytest
from image_files import CLASSES, fill, fill_splits, fill_table, save_arrays
from PIL import Image

import run_study
from moco.data import cache
from moco.data.folders.layouts import list_folder
from moco.data.folders.listing import seeded_split
from moco.trainer.trainer import MoCoTrainer


def hugging_face(root):
    for split in ("train", "test"):
        fill_table(root / split, "metadata.csv", ("file_name", "label", ""))


def with_unlabelled(root):
    fill_splits(root, "train", "test")
    fill(root / "unlabelled", 100)


# what was read, and the images to train, validate and test on (and to pretrain on)
LAYOUTS = {
    "train and test": (lambda root: fill_splits(root, "train", "test"), "train/ and test/ of 2 classes", (64, 16, 80)),
    "in capitals": (lambda root: fill_splits(root, "Train", "TEST"), "Train/ and TEST/ of 2 classes", (64, 16, 80)),
    "ImageNet's": (
        lambda root: fill_splits(root, "train", "val"),
        "train/ and val/ of 2 classes; val/ is the test split, and images for choices are held out of train/",
        (64, 16, 80),
    ),
    "three folders": (
        lambda root: fill_splits(root, "training", "validation", "test"),
        "training/, validation/ and test/ of 2 classes; choices are made on validation/",
        (80, 80, 80),
    ),
    "class folders": (
        lambda root: [fill(root / name, 50) for name in CLASSES],
        "2 class folders; a fifth of each class, by seed 0, is the test split",
        (64, 16, 20),
    ),
    "train alone": (
        lambda root: fill_splits(root, "train"),
        "train/ alone: 2 class folders; a fifth of each class, by seed 0, is the test split",
        (52, 12, 16),
    ),
    "nested": (
        lambda root: [fill(root / split / name / "2019" / "may") for split in ("train", "test") for name in CLASSES],
        "train/ and test/ of 2 classes",
        (64, 16, 80),
    ),
    "labels.csv": (
        lambda root: fill_table(root, "labels.csv", ("File", "Label", "")),
        "labels.csv with the columns File and Label; a fifth of each class, by seed 0, is the test split",
        (128, 32, 40),
    ),
    "metadata.csv with splits": (
        lambda root: fill_table(root, "metadata.csv", ("file_name", "label", "split"), splits=("train", "test")),
        "metadata.csv with the columns file_name and label: train and test of 2 classes",
        (80, 20, 100),
    ),
    "metadata.jsonl": (
        lambda root: fill_table(
            root, "metadata.jsonl", ("file_name", "category", "subset"), splits=("Train", "validation", "test", "train")
        ),
        "metadata.jsonl with the columns file_name and category: train, validation and test of 2 classes; "
        "choices are made on validation",
        (100, 50, 50),
    ),
    "Hugging Face's splits": (hugging_face, "train/ and test/ of 2 classes", (160, 40, 200)),
    "MedMNIST's": (
        save_arrays,
        "train_images, val_images and test_images of 2 classes; choices are made on val_images",
        (80, 80, 80),
    ),
    "grey arrays of one split": (
        lambda root: save_arrays(root, (12, 12), ("train",)),
        "train_images of 2 classes; a fifth of each class, by seed 0, is the test split",
        (52, 12, 16),
    ),
    "with images without labels": (
        with_unlabelled,
        "train/ and test/ of 2 classes; 100 more without labels in unlabelled/",
        (64, 16, 80, 100),
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_read_and_the_plan_says_how(layout, tmp_path, monkeypatch, capsys):
    make, reading, (train, validation, test, *further) = LAYOUTS[layout]
    root = make(tmp_path / "mine")
    place = str(root if isinstance(root, os.PathLike) else tmp_path / "mine")
    monkeypatch.setattr(MoCoTrainer, "estimate_seconds", lambda *args: 1.0)
    words = [
        "--space",
        "optimizers",
        "--dataset",
        place,
        "--data-dir",
        str(tmp_path / "data"),
        "--plan",
    ]
    small = ["--profile", "quick", "--set", "batch_size=16", "--set", "queue_size=32"]
    split = ["--set", "pretrain_split=train+unlabelled"] if further else []
    assert run_study.main([*words, *small, *split]) == 0
    text = capsys.readouterr().out
    assert f"Read as: {reading}, " in text
    assert f" {train} train, {validation} validation, {test} test" in f" {text}".replace(
        f" of {train + validation}", ""
    )
    if further:
        assert f"{train + further[0]} to pretrain on (train+unlabelled)" in text


def test_a_split_by_seed_is_a_fifth_of_each_class_and_always_the_same():
    labels = [0] * 10 + [1] * 20 + [2] * 3
    train, test = seeded_split(labels, "abc")
    assert sorted(train + test) == list(range(33))
    assert [sum(labels[i] == label for i in test) for label in range(3)] == [2, 4, 1]
    assert (train, test) == seeded_split(labels, "abc")


def test_what_is_skipped_is_counted_by_reason_and_named(tmp_path):
    fill_splits(tmp_path, "train", "test")
    cat = tmp_path / "train" / "cat"
    (cat / "notes.txt").write_text("no image")
    (cat / "thumbs.db").write_text("no image")
    (cat / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (cat / ".hidden.png").write_bytes(b"")
    skipped = list_folder(tmp_path).skipped
    assert skipped == {
        "hidden": (1, "train/cat/.hidden.png"),
        "links to nothing": (1, "train/cat/gone.png"),
        "without an image's ending": (2, "train/cat/notes.txt"),
    }


def test_links_to_folders_are_followed_and_circles_are_not(tmp_path):
    fill_splits(tmp_path / "data", "train", "test")
    fill(tmp_path / "elsewhere", 14, start=100)
    (tmp_path / "data" / "train" / "cat" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "elsewhere")
    listing = list_folder(tmp_path / "data")
    assert listing.splits["train"].labels.count(0) == 54


def test_a_photograph_is_turned_as_its_camera_was_held(tmp_path):
    fill_splits(tmp_path, "train", "test")
    half = Image.new("RGB", (20, 20), "black")
    half.paste("white", (0, 0, 20, 10))  # the upper half is white
    turned = half.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees, clockwise
    turned.save(tmp_path / "train" / "cat" / "!.jpg", exif=exif, quality=95)
    dataset = cache.load_dataset(cache.prepare(str(tmp_path), 20, tmp_path / "cache"))
    assert dataset.turned == 1
    first = dataset.train.images[0].float().mean(0)  # !.jpg comes first
    assert first[:8].min() > 200
    assert first[12:].max() < 60


FUNCTIONS = """
import numpy as np

images = np.random.default_rng(0).integers(0, 255, (80, 14, 12, 3)).astype(np.uint8)
labels = np.arange(80) % 2


def pair():
    return images, labels, ["cat", "dog"]


def splits():
    return {"train_images": images, "train_labels": labels, "test_images": images[:20], "test_labels": labels[:20]}


def mixed():
    return {1: images, **splits(), "test_labels": labels[:20].astype(np.uint64)}
"""


@pytest.fixture
def functions(tmp_path, monkeypatch):
    (tmp_path / "my_pictures.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield "my_pictures"
    sys.modules.pop("my_pictures", None)


def test_a_function_of_ones_own_gives_the_images(functions, tmp_path, capsys):
    dataset = cache.load_dataset(cache.prepare(f"{functions}:pair", 0, tmp_path))
    assert (dataset.name, dataset.title, dataset.classes) == (
        "pair",
        "my_pictures:pair",
        ("cat", "dog"),
    )
    assert [len(split.labels) for split in (dataset.train, dataset.test)] == [64, 16]
    assert dataset.train.images.shape[1:] == (3, 12, 12)
    assert "a fifth of each class" in dataset.layout
    words = [
        "--space",
        "optimizers",
        "--profile",
        "quick",
        "--set",
        "batch_size=16",
        "--set",
        "queue_size=32",
        "--plan",
    ]
    assert (
        run_study.main([*words, "--dataset", f"{functions}:splits", "--data-dir", str(tmp_path)])
        == 0
    )
    assert "my_pictures:splits, 16 px, 64 train, 16 validation, 20 test" in capsys.readouterr().out


def test_labels_of_several_kinds_of_whole_numbers_and_further_arrays_are_taken(functions, tmp_path):
    dataset = cache.load_dataset(cache.prepare(f"{functions}:mixed", 0, tmp_path))
    assert dataset.test.labels.tolist() == [i % 2 for i in range(20)]
