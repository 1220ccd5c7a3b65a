"""Sizes for one's own images: as many images seen as a profile's run sees, at about its cost."""

import re

import numpy as np
import pytest
from PIL import Image

import run_study
from moco.config import Config
from moco.data.sources import Source, named_source
from moco.trainer.proposal import fit_batch, propose_sizes
from moco.trainer.trainer import MOCO
from search_spaces._sizes import FIXED, FULL, QUICK, SMALL
from study.design.trainer import Request


def source(tmp_path, images, side):
    file = tmp_path / f"{side}.png"
    Image.new("RGB", (side + 5, side)).save(file)
    return Source("mine", "folder mine", 32, images, 3, decode=print, files=(file,))


@pytest.mark.parametrize(
    ("sizes", "usual", "images", "side", "expected"),
    [
        # few photographs: more epochs, smaller batches, a queue that is an eighth of them
        (QUICK, "shapes", 900, 240, {"image_size": 32, "stem": "strided", "epochs": 13, "batch_size": 64, "queue_size": 128}),
        # many: a subset, as large as the profile's own
        (QUICK, "shapes", 50_000, 32, {"image_size": 32, "stem": "strided", "train_images": 2400}),
        # as many as the profile has
        (QUICK, "shapes", 3000, 16, {}),
        # CIFAR-10 itself, in a folder
        (SMALL, "cifar10", 50_000, 32, {}),
        (SMALL, "cifar10", 50_000, 96, {"image_size": 64, "stem": "imagenet"}),
        # all images where that takes no more than the profile's
        (SMALL, "cifar10", 5000, 32, {"train_images": 0, "epochs": 44, "queue_size": 512}),
        (FULL, "cifar10", 10_000, 32, {"epochs": 200, "queue_size": 512}),
        (FULL, "cifar10", 200_000, 32, {"epochs": 25}),
        (FULL, "cifar10", 1_000_000, 32, {"epochs": 20, "train_images": 200_000}),
    ],
)  # fmt: skip
def test_sizes_suit_the_number_and_the_size_of_images(
    sizes, usual, images, side, expected, tmp_path
):
    proposal = propose_sizes(source(tmp_path, images, side), usual, {**FIXED, **sizes}, {})
    assert (proposal.fields if proposal else {}) == expected
    before, after = Config.of({**FIXED, **sizes}), Config.of({**FIXED, **sizes, **expected})
    assert after.batch_size >= 8 * after.splits
    assert (after.image_size == before.image_size) == (after.stem == before.stem)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (60, {"batch_size": 32, "batch_norm_splits": 8, "queue_size": 64}),
        (20, {"batch_size": 16, "batch_norm_splits": 4, "queue_size": 32}),
        (400, {"batch_size": 64, "queue_size": 128}),
    ],
)
def test_one_run_on_few_images_has_a_batch_that_fits(images, expected, tmp_path):
    mine, config = source(tmp_path, images, 32), Config(batch_size=128, batch_norm_splits=8)
    assert {**fit_batch(mine, config, {}).fields} == {
        k: v for k, v in expected.items() if v != getattr(config, k)
    }
    fitting = Config(batch_size=8, batch_norm_splits=2, queue_size=16)
    assert fit_batch(mine, fitting, {}) is None
    assert fit_batch(named_source("digits"), config, {}) is None


def test_what_the_command_sets_stays_and_named_datasets_keep_the_profile(tmp_path):
    mine, shared = source(tmp_path, 900, 240), {**FIXED, **QUICK, "image_size": 16, "epochs": 2}
    proposal = propose_sizes(
        mine, "shapes", shared, {"image_size": 16, "epochs": 2, "stem": "small"}
    )
    assert proposal.fields == {"batch_size": 64, "queue_size": 128}
    assert proposal.row == (
        "Sizes",
        "batch_size=64, queue_size=128",
        "proposed for 900 images of some 240 px",
    )
    assert propose_sizes(named_source("digits"), "shapes", {**FIXED, **QUICK}, {}) is None
    assert propose_sizes(mine, "", {**FIXED, **QUICK}, {}) is None


def test_image_size_and_stem_go_together_and_fields_of_arms_and_further_images_count(tmp_path):
    shared = {**FIXED, **QUICK}
    for name in ("image_size", "stem"):
        fields = propose_sizes(source(tmp_path, 900, 240), "shapes", shared, {name}).fields
        assert not {"image_size", "stem"} & set(fields)
    fields = propose_sizes(source(tmp_path, 900, 240), "shapes", shared, {"queue_size"}).fields
    assert "queue_size" not in fields
    more = source(tmp_path, 900, 16)._replace(extra="unlabelled", extra_images=1680)
    further = {**shared, "pretrain_split": "train+unlabelled"}
    assert propose_sizes(more, "shapes", shared, set()).fields["epochs"] == 13
    assert propose_sizes(more, "shapes", further, set()) is None  # 2,400 like the profile's


def test_the_plan_of_a_space_that_varies_the_queue_proposes_none(tmp_path, capsys):
    for i, name in [(i, name) for i in range(30) for name in "ab"]:
        (tmp_path / "mine" / name).mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng([i, ord(name)]).integers(0, 255, (20, 20, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "mine" / name / f"{i}.png")
    words = ["--profile", "quick", "--plan", "--dataset", str(tmp_path / "mine")]
    for space in ("queue", "joint"):
        run_study.main(["--space", space, *words, "--data-dir", str(tmp_path)])
        sizes = re.search(r"^Sizes: (.*)$", capsys.readouterr().out, re.MULTILINE)
        assert sizes
        assert "batch_size=" in sizes.group(1)
        assert "queue_size" not in sizes.group(1)


def test_a_study_of_a_folder_is_planned_at_these_sizes(tmp_path):
    for split, count in (("train", 100), ("test", 10)):
        for name in "abc":
            folder = tmp_path / "mine" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = np.random.default_rng([i, ord(name)]).integers(0, 255, (70, 64, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
    shared = {**FIXED, **QUICK}
    request = Request(
        str(tmp_path / "mine"), tmp_path, shared, {"sgd": {}}, {}, {}, sized_for="shapes"
    )
    prepared = MOCO.prepare(request)
    assert prepared.proposed == {
        "image_size": 32, "stem": "strided", "epochs": 40, "batch_size": 32, "queue_size": 64,
    }  # fmt: skip
    assert prepared.data.about[0][1] == "folder mine, 32 px"
    assert prepared.data.about[-1][0] == "Sizes"
