"""Images as people have them: each layout is read as its owner means it, and the reading is said."""

import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

import run_study
from moco.data import cache
from moco.data.checks import DataError
from moco.data.folders.layouts import list_folder
from moco.data.folders.listing import seeded_split
from moco.trainer.trainer import MoCoTrainer

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


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda root: fill_splits(root, "test"), "has no train/"),
        (lambda root: fill_splits(root, "train", "val", "valid", "test"), "a split must be one folder; .* has val/ and valid/"),
        (lambda root: root.mkdir(), "must hold images, as train/<class>/.* has none. Is the path one level"),
        (lambda root: [fill(root / "a", 40), fill(root / "b", 2)], "needs at least 3 images; 'b' has 2"),
        (lambda root: fill_table(root, "labels.csv", ("file", "kind", "")), "a column of labels, named label or class or .* has 'file', 'kind'"),
        (lambda root: fill_table(root, "labels.csv", ("file", "label", "split"), splits=("train", "heldout")), "must hold train, test or validation; got 'heldout'"),
        (lambda root: [fill_table(root, "labels.csv", ("file", "label", "")), (root / "7.png").unlink()], "must name files that are there; '7.png' is not"),
        (lambda root: [fill(root, 4), (root / "labels.csv").write_text("file,label\n../x.png,a\n0.png,b\n")], "must name files in its own folder"),
        (lambda root: [fill(root, 4), (root / "labels.csv").write_text("file,label\n0.png,a\n0.png,b\n")], "must name each file once; it names '0.png' again"),
        (lambda root: [fill(root, 4), (root / "metadata.jsonl").write_text("[1]\n")], "must be a table of files and labels \\(a line holds no object\\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_a_sentence(make, sentence, tmp_path):
    make(tmp_path / "mine")
    with pytest.raises(DataError, match=sentence):
        list_folder(tmp_path / "mine")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"train_images": np.zeros((80, 8, 8))}, "train_images of .* must be bytes"),
        ({"test_labels": np.zeros((80, 3), int)}, "test_labels of .* must be one whole number an image"),
        ({"train_labels": np.array([{}] * 80)}, "must be a file of arrays"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_images_are_refused(more, sentence, tmp_path):
    file = save_arrays(tmp_path / "mine", **more)
    with pytest.raises(DataError, match=sentence):
        cache.prepare(str(file), 0, tmp_path)


FUNCTIONS = """
import numpy as np

images = np.random.default_rng(0).integers(0, 255, (80, 14, 12, 3)).astype(np.uint8)
labels = np.arange(80) % 2


def pair():
    return images, labels, ["cat", "dog"]


def splits():
    return {"train_images": images, "train_labels": labels, "test_images": images[:20], "test_labels": labels[:20]}


def far():
    return images, labels + 1, ["cat", "dog"]


def broken():
    raise OSError("the disk is gone")


def nothing():
    return images


def leaves():
    raise SystemExit("two\\nlines")


def one_class():
    return images, labels * 0, None


def flat():
    return images[:, :0], labels, ["cat", "dog"]


def word():
    return images, labels, "abcd"


def twice():
    return images, labels, ["cat", "cat"]


def bytes_names():
    return images, labels, [b"cat", b"dog"]


def huge():
    return images, labels.astype(np.uint64) + np.uint64(2**63), None


def brain_floats():
    import torch

    return torch.zeros(80, 8, 8, 3, dtype=torch.bfloat16), labels, None


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


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere", "it has no 'nowhere'"),
        ("far", "labels of .*far must be places in its 2 names, from 0; got 1, 2"),
        ("broken", r"must be a function without arguments; it failed \(OSError: the disk is gone\)$"),
        ("leaves", r"must be a function without arguments; it failed \(SystemExit: two\)$"),
        ("one_class", "a dataset needs at least two classes, .*; my_pictures:one_class has only '0'"),
        ("flat", r"train_images of .* must be bytes \(N, height, width\) .*; got uint8 \(80, 0, 12, 3\)"),
        ("word", "names of .*word must be a list of two or more words, each once; got <U4"),
        ("twice", r"must be a list of two or more words, each once; got \['cat', 'cat'\]"),
        ("bytes_names", r"must be a list of two or more words, each once; got \|S3"),
        ("huge", r"train_labels of .*huge must be below 2\^63; got 9223372036854775809"),
        ("brain_floats", "must return arrays of numpy: images of one size as bytes"),
        ("nothing", "must return images, labels and names of classes, or a dict of arrays .*; got ndarray"),
    ],
)  # fmt: skip
def test_a_function_that_gives_no_images_is_a_sentence(functions, name, sentence, tmp_path):
    with pytest.raises(DataError, match=sentence):
        cache.prepare(f"{functions}:{name}", 0, tmp_path)


def test_labels_of_several_kinds_of_whole_numbers_and_further_arrays_are_taken(functions, tmp_path):
    dataset = cache.load_dataset(cache.prepare(f"{functions}:mixed", 0, tmp_path))
    assert dataset.test.labels.tolist() == [i % 2 for i in range(20)]


def test_an_exit_as_a_dataset_is_a_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--space", "optimizers", "--profile", "quick", "--plan", "--dataset", "builtins:exit"]
    assert run_study.main(words) == 2
    assert "dataset builtins:exit must be a function without arguments" in capsys.readouterr().err


def test_a_file_is_opened_as_an_image_alone_whatever_its_ending(tmp_path):
    fill_splits(tmp_path, "train", "test")
    (tmp_path / "train" / "cat" / "0.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    )
    with pytest.raises(DataError, match=r"train/cat/0\.png is not \(cannot identify"):
        cache.prepare(str(tmp_path), 16, tmp_path / "cache")


def test_a_kind_of_file_that_needs_a_plugin_names_it(tmp_path):
    fill_splits(tmp_path, "train", "test")
    (tmp_path / "train" / "cat" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(DataError, match="pip install pillow-heif"):
        cache.prepare(str(tmp_path), 16, tmp_path / "cache")
