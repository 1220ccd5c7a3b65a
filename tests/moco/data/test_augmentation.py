"""Each transform equals torchvision's, and the parameters have the recipe's distributions."""

from dataclasses import replace

import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from moco.data.augmentation import (
    COLOUR_OPERATIONS,
    apply,
    sample_boxes,
    sample_parameters,
)
from moco.data.recipes import RECIPES, choose_recipe

TORCHVISION = {
    "brightness": tv.adjust_brightness,
    "contrast": tv.adjust_contrast,
    "saturation": tv.adjust_saturation,
    "hue": tv.adjust_hue,
}


def sample(recipe, count, size, generator=None):
    """Parameters of `count` views of square images."""
    return sample_parameters(
        RECIPES[recipe],
        count,
        height=size,
        width=size,
        generator=generator or torch.Generator().manual_seed(0),
    )


def apply_torchvision(image, p, i, size, grayscale_first):
    top, left, height, width = (int(x) for x in p.box_N4[i])
    view = tv.resized_crop(
        image.float() / 255, top, left, height, width, [size, size], antialias=True
    ).clamp(0, 1)
    view = tv.horizontal_flip(view) if p.flip_N[i] else view
    grey = bool(p.gray_N[i]) and len(image) == 3
    view = tv.rgb_to_grayscale(view, 3) if grey and grayscale_first else view
    for kind in p.order_N4[i].tolist():
        if kind >= 0 and (len(image) == 3 or kind < 2):
            view = TORCHVISION[COLOUR_OPERATIONS[kind]](view, float(p.factor_N4[i, kind]))
    view = tv.rgb_to_grayscale(view, 3) if grey and not grayscale_first else view
    return tv.gaussian_blur(view, 2 * size - 1, float(p.blur_N[i])) if p.blur_N[i] else view


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(
    ("channels", "height", "width", "size"), [(3, 32, 32, 32), (3, 24, 40, 16), (1, 16, 16, 16)]
)
def test_every_recipe_gives_torchvisions_views(name, channels, height, width, size):
    draws = torch.Generator().manual_seed(1)
    images = torch.randint(
        0, 256, (32, channels, height, width), generator=draws, dtype=torch.uint8
    )
    parameters = sample_parameters(RECIPES[name], 32, height=height, width=width, generator=draws)
    first = RECIPES[name].grayscale_first
    views = apply(images, parameters, size, grayscale_first=first)
    expected = torch.stack(
        [apply_torchvision(image, parameters, i, size, first) for i, image in enumerate(images)]
    )
    torch.testing.assert_close(views, expected, atol=1e-5, rtol=0)


def test_boxes_have_torchvisions_areas_and_ratios():
    draws = torch.Generator().manual_seed(0)
    ours = sample_boxes((0.08, 1.0), 4000, height=32, width=32, generator=draws)
    torch.manual_seed(0)
    crops = v2.RandomResizedCrop(32, scale=(0.08, 1.0))
    theirs = torch.tensor(
        [
            [p["top"], p["left"], p["height"], p["width"]]
            for p in (crops.make_params([torch.zeros(3, 32, 32)]) for _ in range(4000))
        ]
    ).float()
    for mine, other in (
        (ours[:, 2] * ours[:, 3], theirs[:, 2] * theirs[:, 3]),
        (ours[:, 2] / ours[:, 3], theirs[:, 2] / theirs[:, 3]),
        (ours[:, 0], theirs[:, 0]),
    ):
        quantiles = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9])
        spread = other.quantile(0.9) - other.quantile(0.1)
        assert (mine.quantile(quantiles) - other.quantile(quantiles)).abs().max() < 0.1 * spread


def test_chances_and_factors_are_those_of_the_recipe():
    p = sample("moco_cifar", 20_000, 32)
    assert p.flip_N.float().mean() == pytest.approx(0.5, abs=0.02)
    assert p.gray_N.float().mean() == pytest.approx(0.2, abs=0.02)
    assert (p.order_N4[:, 0] >= 0).float().mean() == pytest.approx(0.8, abs=0.02)
    assert p.factor_N4.min(0).values.tolist() == pytest.approx([0.6, 0.6, 0.6, -0.1], abs=0.01)
    assert p.factor_N4.max(0).values.tolist() == pytest.approx([1.4, 1.4, 1.4, 0.1], abs=0.01)
    first_N = p.order_N4[p.order_N4[:, 0] >= 0, 0]
    shares = torch.bincount(first_N, minlength=4) / len(first_N)
    assert shares.tolist() == pytest.approx([0.25] * 4, abs=0.02)


def test_every_image_has_parameters_of_its_own_and_the_two_views_differ():
    draws = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8, generator=draws)
    images = image.expand(16, -1, -1, -1)
    one, two = (apply(images, sample("moco_cifar", 16, 32, draws), 32) for _ in range(2))
    flat = torch.cat([one, two]).flatten(1)
    assert len(torch.unique(flat, dim=0)) == 32


def test_digits_are_neither_flipped_nor_tinted():
    p = sample("digits", 1000, 16)
    assert not p.flip_N.any()
    assert not p.gray_N.any()
    assert p.factor_N4[:, 3].abs().max() == 0


def test_half_the_views_of_v2_are_blurred_by_a_tenth_to_two_pixels():
    sigma = sample("moco_v2", 20_000, 32).blur_N
    assert (sigma > 0).float().mean() == pytest.approx(0.5, abs=0.02)
    assert (sigma[sigma > 0].min(), sigma.max()) == pytest.approx((0.1, 2.0), abs=0.01)
    assert not sample("moco_cifar", 1000, 32).blur_N.any()


def test_the_published_recipes_differ_where_the_papers_do():
    v1, v2_, cifar = (RECIPES[name] for name in ("moco_v1", "moco_v2", "moco_cifar"))
    assert (v1.hue, v1.jitter, v1.grayscale_first, v1.blur) == (0.4, 1.0, True, 0.0)
    assert (v2_.hue, v2_.jitter, v2_.grayscale_first, v2_.blur) == (0.1, 0.8, False, 0.5)
    assert (v1.crop_scale[0], v2_.crop_scale[0], cifar.crop_scale[0]) == (0.2, 0.2, 0.08)
    assert cifar.blur == 0.0


def test_blur_and_flip_can_be_forced_and_labels_are_learned_from_crops(config):
    assert choose_recipe(config, "digits") is not None
    assert choose_recipe(replace(config, views_blur="on"), "moco_cifar").blur == 0.5
    off = replace(config, views="moco_v2", views_blur="off", views_flip="off")
    recipe = choose_recipe(off, "digits")
    assert (recipe.flip, recipe.blur) == (0.0, 0.0)
    recipe = choose_recipe(replace(config, method="supervised"), "svhn")
    assert recipe == RECIPES["crop"]._replace(flip=0.0)


def test_an_unknown_recipe_is_refused_by_name(config):
    assert choose_recipe(config, "digits") == RECIPES["digits"]
    with pytest.raises(ValueError, match=r"views must be auto or one of .*digits.*; got 'blurry'"):
        choose_recipe(replace(config, views="blurry"), "digits")
