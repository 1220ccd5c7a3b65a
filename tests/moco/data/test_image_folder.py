"""Image folders become square RGB arrays, or are refused with the name of the file."""

import numpy as np
import pytest
from PIL import Image

from moco.data import cache
from moco.data.checks import DataError
from moco.data.decoding import decode_listing, read_image, resize_and_crop, to_rgb
from moco.data.folders.layouts import list_folder
from moco.trainer.dataset_facts import dataset_facts


def read_folder(root, size):
    """The dataset of a folder."""
    return decode_listing(list_folder(root), size, extra=False)


def test_a_folder_of_images_of_any_mode_and_size_becomes_square_rgb(tmp_path, make_folder):
    make_folder(tmp_path / "photos", mode="L")
    raw = read_folder(tmp_path / "photos", 16)
    assert raw.classes == ("cat", "dog")
    assert raw.train[0].shape == (24, 3, 16, 16)
    assert raw.test[1].tolist() == [0] * 12 + [1] * 12
    assert (raw.modes, raw.sizes) == ({"L": 48}, {"24x20": 48})


def test_sixteen_bits_a_pixel_keep_their_shades(tmp_path, make_folder):
    make_folder(tmp_path / "photos")
    ramp = np.linspace(0, 65535, 20 * 20).reshape(20, 20).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "photos" / "train" / "cat" / "0.png")
    image = read_folder(tmp_path / "photos", 20).train[0][0, 0]
    assert np.abs(image - ramp / 257).max() <= 1


def test_what_is_transparent_becomes_white_and_real_numbers_are_refused(tmp_path, make_folder):
    root = make_folder(tmp_path / "photos")
    Image.new("RGBA", (20, 20), (200, 0, 0, 0)).save(root / "train" / "cat" / "0.png")
    assert read_folder(root, 20).train[0][0].min() == 255
    Image.fromarray(np.random.default_rng(0).random((20, 20), dtype=np.float32)).save(
        root / "train" / "cat" / "real.tif"
    )
    with pytest.raises(
        DataError, match=r"cat/real\.tif is not \(its pixels are real numbers of an unknown range\)"
    ):
        read_folder(root, 20)


def test_hidden_files_and_folders_are_no_data(tmp_path, make_folder):
    root = make_folder(tmp_path / "photos")
    for hidden in (root / "train" / ".ipynb_checkpoints", root / "train" / "cat" / ".trash"):
        hidden.mkdir()
        Image.new("RGB", (20, 20)).save(hidden / "0.png")
    (root / "test" / "dog" / "._0.png").write_bytes(b"mac")
    raw = read_folder(root, 20)
    assert (raw.classes, len(raw.train[1]), len(raw.test[1])) == (("cat", "dog"), 24, 24)


def test_images_are_resized_by_the_shorter_side_and_cut_in_the_middle():
    wide = Image.new("RGB", (40, 20))
    wide.paste((255, 0, 0), (10, 0, 30, 20))
    assert np.asarray(resize_and_crop(wide, 20)).min(axis=(0, 1)).tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda root: (root / "train").rename(root / "trains"),
            "must hold train/<class>/\\* and test/<class>/\\*; .* has no train/",
        ),
        (
            lambda root: [
                (root / split / "dog").rename(root / f"{split}-dog") for split in ("train", "test")
            ],
            "at least two classes.*only 'cat'",
        ),
        (
            lambda root: (root / "test" / "dog").rename(root / "test" / "wolf"),
            "same class folders; .* has 'dog' only in train/ and 'wolf' only in test/",
        ),
        (
            lambda root: (root / "test" / "dog" / "3.png").write_bytes(b"no image"),
            r"test/dog/3\.png is not \(cannot identify",
        ),
        (
            lambda root: [
                (root / "train" / "dog" / f"{i}.png").write_bytes(b"no image") for i in range(8)
            ],
            r"train/dog/0\.png is not \(cannot .*Nor are 7 more: .*dog/1\.png'.* and 2 more",
        ),
        (
            lambda root: [path.unlink() for path in (root / "train" / "dog").iterdir()],
            "every class needs images in train; 'dog' has none",
        ),
    ],
)
def test_what_cannot_be_right_is_refused_in_one_sentence(tmp_path, spoil, sentence, make_folder):
    root = make_folder(tmp_path / "photos")
    spoil(root)
    with pytest.raises(DataError, match=sentence):
        cache.prepare(str(root), 16, tmp_path / "data")


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I;16"]
)
def test_every_colour_mode_becomes_rgb(mode):
    light = Image.new("RGB", (8, 8), (250, 250, 250)).convert("L")
    image = to_rgb(
        {"LAB": Image.new("LAB", (8, 8)), "I;16": Image.new("I;16", (8, 8), 250 * 257)}.get(mode)
        or light.convert(mode)
    )
    assert image.mode == "RGB"
    assert np.asarray(image).shape == (8, 8, 3)
    if mode != "LAB":
        assert np.asarray(image).min() >= 240


def test_converted_files_are_reported_and_other_sizes_listed(tmp_path, make_folder):
    root = make_folder(tmp_path / "photos", count=40)
    Image.new("CMYK", (30, 40)).save(root / "train" / "cat" / "0.tif")
    wish = {
        "image_size": 16,
        "width": 0.125,
        "batch_size": 16,
        "queue_size": 4,
        "batch_norm_splits": 1,
        "dataset": "photos",
    }
    facts = dataset_facts(cache.prepare(str(root), 16, tmp_path), wish)
    assert "1 of 161 images are not RGB and were converted: 1 CMYK." in facts.warnings
    assert facts.about[2] == ("Files", "160 RGB, 1 CMYK", "2 sizes, 24x20 to 30x40")


@pytest.mark.parametrize("top", [200, 40_000])
def test_sixteen_bits_are_read_as_such_whatever_their_largest_value(tmp_path, top):
    values = np.linspace(0, top, 64).reshape(8, 8).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    image = read_image(tmp_path / "deep.png", 8, ["PNG"]).image
    assert image[..., 0] == pytest.approx(values / 257, abs=1)


def test_whole_numbers_of_an_unknown_range_are_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.int32)).save(tmp_path / "deep.tif")
    with pytest.raises(DataError, match="its pixels are whole numbers of an unknown range"):
        read_image(tmp_path / "deep.tif", 8, ["TIFF"])


def test_an_image_of_a_pixel_s_height_takes_no_gigabytes(tmp_path):
    Image.new("RGB", (60_000, 1), "red").save(tmp_path / "long.png")
    image = read_image(tmp_path / "long.png", 64, ["PNG"]).image
    assert image.shape == (64, 64, 3)
    assert (image == (255, 0, 0)).all()
