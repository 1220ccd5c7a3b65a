"""Augmentation recipes: the published distributions of the random views, by name."""

from typing import NamedTuple

from moco.config import Config


class Recipe(NamedTuple):
    """The distribution of a view's parameters.

    Colour factors are uniform in [1 - x, 1 + x], the hue shift is uniform in [-hue, hue] turns.
    """

    crop_scale: tuple[float, float]  # share of the image's area
    flip: float  # probability
    jitter: float = 0.0  # probability of any change of the colours
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grayscale: float = 0.0  # probability
    grayscale_first: bool = False  # before the jitter, not after it
    blur: float = 0.0  # probability


CIFAR_RECIPE = Recipe(
    crop_scale=(0.08, 1.0),
    flip=0.5,
    jitter=0.8,
    brightness=0.4,
    contrast=0.4,
    saturation=0.4,
    hue=0.1,
    grayscale=0.2,
)
RECIPES = {
    # He et al. 2020, section 3.3: grayscale before the jitter
    "moco_v1": Recipe(
        crop_scale=(0.2, 1.0),
        flip=0.5,
        jitter=1.0,
        brightness=0.4,
        contrast=0.4,
        saturation=0.4,
        hue=0.4,
        grayscale=0.2,
        grayscale_first=True,
    ),
    # Chen et al. 2020, MoCo v2: weaker hue, and blur
    "moco_v2": CIFAR_RECIPE._replace(crop_scale=(0.2, 1.0), blur=0.5),
    # FAIR's CIFAR-10 demo: smaller crops, no blur
    "moco_cifar": CIFAR_RECIPE,
    # a mirrored digit is a different sign
    "svhn": CIFAR_RECIPE._replace(flip=0.0),
    "digits": Recipe(crop_scale=(0.5, 1.0), flip=0.0, jitter=0.8, brightness=0.4, contrast=0.4),
    # a smaller crop would often miss the shape; its colour says nothing of its class, and would
    # be what tells two images apart if the views kept it
    "shapes": CIFAR_RECIPE._replace(crop_scale=(0.5, 1.0), hue=0.5, saturation=0.8),
    # for training on labels
    "crop": Recipe(crop_scale=(0.4, 1.0), flip=0.5),
}


def choose_recipe(config: Config, dataset_recipe: str) -> Recipe:
    """The recipe of a trial.

    With `views=auto` it is the dataset's own, or crops and flips alone for training on labels.

    Args:
        dataset_recipe: `Dataset.views`.

    Raises:
        ValueError: `config.views` names no recipe.
    """
    if config.views != "auto" and config.views not in RECIPES:
        raise ValueError(f"views must be auto or one of {', '.join(RECIPES)}; got {config.views!r}")
    recipe = RECIPES[dataset_recipe if config.views == "auto" else config.views]
    if config.views == "auto" and config.method == "supervised":
        recipe = RECIPES["crop"]._replace(flip=recipe.flip)
    probability = {"on": 0.5, "off": 0.0}
    return recipe._replace(
        blur=probability.get(config.views_blur, recipe.blur),
        flip=probability.get(config.views_flip, recipe.flip),
    )
