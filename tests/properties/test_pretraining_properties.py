"""What holds for all configs and all folders of files, tried on made-up ones (Hypothesis)."""

import json
import shutil
from dataclasses import fields
from pathlib import Path

from example_folders import new_folder
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from moco.config import Config, option_of
from moco.data.checks import DataError
from moco.data.folders.image_files import scan
from moco.data.folders.layouts import list_folder
from moco.trainer.availability import canonical_config
from study.design.trial import trial_id


def values_of(field):
    """Values that a field may take by itself."""
    option, kind = option_of(field), type(field.default)
    if option.choices:
        return st.sampled_from(option.choices)
    if kind is str:
        return st.just(field.default)
    low = option.above if option.above is not None else option.low
    high = option.high if option.high is not None else 1000
    if kind is int:
        return st.integers(int(low) + (option.above is not None), int(min(high, 100_000)))
    return st.floats(low, min(high, 1e6), exclude_min=option.above is not None)


CONFIGS = st.fixed_dictionaries(
    {}, optional={field.name: values_of(field) for field in fields(Config)}
)


def config_or_none(values):
    """The config, or none where a rule between fields says no in a sentence."""
    try:
        return Config.of(values)
    except ValueError as problem:
        assert "Error" not in str(problem)
        return None


@given(CONFIGS)
def test_a_config_is_the_same_after_a_trip_through_json(values):
    if config := config_or_none(values):
        assert Config.of(json.loads(json.dumps(config.to_dict()))) == config


@given(CONFIGS, st.sampled_from(fields(Config)), st.data())
def test_equal_configs_have_equal_ids_and_any_field_that_counts_another(values, field, data):
    config = config_or_none(values)
    other = config_or_none({**values, field.name: data.draw(values_of(field))})
    if not (config and other):
        return
    ids = [trial_id(canonical_config(one.to_dict()), "f", one.seed) for one in (config, other)]
    same = canonical_config(config.to_dict()) == canonical_config(other.to_dict())
    assert (ids[0] == ids[1]) == same
    assert same or config != other
    again = canonical_config(canonical_config(config.to_dict()))
    assert again == canonical_config(config.to_dict())


@given(
    st.dictionaries(
        st.sampled_from([field.name for field in fields(Config)]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(),
            st.text(max_size=5),
            st.lists(st.none(), max_size=1),
        ),
        max_size=3,
    )
)
def test_any_values_are_a_config_or_a_sentence(values):
    config_or_none(values)


NAMES = st.sampled_from(
    (
        "train",
        "test",
        "val",
        "Train",
        "unlabelled",
        "cat",
        "dog",
        "1",
        "02",
        "a b",
        ".git",
        "é",
        "x" * 60,
    )
)
FILES = st.sampled_from(
    ("0.png", "1.PNG", "2.jpg", "notes.txt", "labels.csv", "noend", ".hidden.png")
)
TREES = st.recursive(
    st.just({}), lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


def build(folder, tree, data, image):
    """Make folders as the tree has them, with some files in each; how many files."""
    folder.mkdir(exist_ok=True)
    count = 0
    for name in data.draw(st.lists(FILES, max_size=5, unique=True)):
        shutil.copy(image, folder / name)
        count += 1
    return count + sum(build(folder / name, inner, data, image) for name, inner in tree.items())


@given(tree=TREES, data=st.data())
def test_any_folder_is_read_or_refused_in_a_sentence_and_no_file_is_lost(tree, data):
    folder = new_folder()
    image = folder / "image"
    Image.new("L", (4, 4)).save(image, format="png")
    root = folder / "root"
    total = build(root, tree, data, image)
    found = scan(root)
    counted = len(found.files) + sum(one.files for one in found.skipped.values())
    hidden = sum(in_hidden_folder(path.relative_to(root)) for path in root.rglob("*"))
    assert counted >= total - hidden
    try:
        listing = list_folder(root)
    except DataError as problem:
        assert "Error" not in str(problem)
        assert "\n" not in str(problem)
        return
    paths = [path for split in listing.splits.values() for path in split.paths]
    assert len(set(paths)) == len(paths), "no image in two splits"
    for split in listing.splits.values():
        assert len(split.paths) == len(split.labels)
        assert all(-1 <= label < max(1, len(listing.classes)) for label in split.labels)
    left_out = sum(one.files for one in listing.skipped.values())
    assert len(paths) + left_out >= total - hidden


def in_hidden_folder(path: Path):
    return any(part.startswith(".") for part in path.parts[:-1])
