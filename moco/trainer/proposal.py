"""Sizes that suit one's own images, in place of those that a profile has for another dataset.

A run sees as many images as the profile's would, in steps of about the same cost.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from moco.config import Config
from moco.data.datasets import DATASETS
from moco.data.sources import Source

MOST_EPOCHS, LEAST_EPOCHS = 200, 20  # of few images, and of many unless the profile has fewer
LEAST_STEPS = 8  # of an epoch
LEAST_BATCH = 32  # and 8 images a group of batch norm
QUEUE_SHARE = 8  # the queue holds at most one of so many training images
NEXT_STEM = {"small": "strided", "strided": "imagenet", "imagenet": "imagenet"}


class Proposal(NamedTuple):
    """Fields, and why."""

    fields: dict[str, Any]
    row: tuple[str, str, str]  # title, what is proposed, and for what


def propose_sizes(
    source: Source, usual: str, shared: Mapping[str, Any], kept: Collection[str]
) -> Proposal | None:
    """Sizes for a dataset of one's own; None: it is none, or the profile's suit it.

    Args:
        usual: the name of the dataset that the profile's sizes are for.
        shared: the fields of all trials.
        kept: fields that stay: the command or an arm sets them.
    """
    if not source.is_own or usual not in DATASETS:
        return None
    config = Config.of({**shared, "dataset": source.name})
    proposed: dict[str, Any] = {}
    for propose in (image_fields, length_fields, batch_fields):
        now = Config.of({**config.to_dict(), **proposed})
        own = propose(source, usual, now)
        if propose is image_fields and any(name in kept for name in own):
            continue  # either both or none
        proposed |= {k: v for k, v in own.items() if k not in kept}
    return changes(source, config, proposed)


def fit_batch(source: Source, config: Config, kept: Collection[str]) -> Proposal | None:
    """Batch and queue for one run on a dataset of one's own; None: it is none, or those fit.

    Args:
        config: of the run.
        kept: fields that the command sets: they stay.
    """
    if not source.is_own:
        return None
    own = batch_fields(source, "", config)
    return changes(source, config, {k: v for k, v in own.items() if k not in kept})


def changes(source: Source, config: Config, proposed: Mapping[str, Any]) -> Proposal | None:
    """What of these fields differs from the config's, with the reason; None: nothing."""
    changed = {k: v for k, v in proposed.items() if v != getattr(config, k)}
    if not changed:
        return None
    words = ", ".join(f"{name}={value}" for name, value in changed.items())
    what = f"{source.images:,} images of some {source.side()} px"
    return Proposal(changed, ("Sizes", words, f"proposed for {what}"))


def image_fields(source: Source, usual: str, config: Config) -> dict[str, Any]:
    """Twice the pixels a side for larger photographs, with a stem that keeps the cost."""
    side, usual_side = source.side(), config.image_size or DATASETS[usual].size
    if side < 2 * usual_side:
        return {}
    return {"image_size": 2 * usual_side, "stem": NEXT_STEM[config.stem]}


def length_fields(source: Source, usual: str, config: Config) -> dict[str, Any]:
    """Epochs over all images, or over a subset, as many images seen as in the usual run."""
    usual_images = training_images(DATASETS[usual].images, config)
    usual_images = min(config.train_images or usual_images, usual_images)
    images = pretraining_images(source, config, limit=0)
    budget, least = config.epochs * usual_images, min(config.epochs, LEAST_EPOCHS)
    if images * least <= budget or config.pretrain_split != "train":  # whose images have no limit
        epochs = max(1, min(MOST_EPOCHS, round(budget / images)))
        return {"train_images": 0, "epochs": epochs}
    if config.train_images:
        return {}
    return {"train_images": budget // least, "epochs": least}


def training_images(images: int, config: Config) -> int:
    """How many images are left to train on when those for choices are held out."""
    return max(1, round(images * (1 - config.validation_share)))


def pretraining_images(source: Source, config: Config, limit: int) -> int:
    """How many images of a dataset a run sees: further ones too where it is told to.

    Args:
        limit: of the training images; 0: none.
    """
    images = training_images(source.images, config) if source.classes else source.images
    images = min(limit or images, images)
    if config.pretrain_split == "train":
        return images
    return source.extra_images + (images if config.pretrain_split.startswith("train+") else 0)


def batch_fields(source: Source, usual: str, config: Config) -> dict[str, Any]:
    """Batch, its groups of batch norm, and queue that fit into an epoch."""
    images = pretraining_images(source, config, config.train_images)
    batch, groups = config.batch_size, config.batch_norm_splits
    while images < LEAST_STEPS * batch and batch // 2 >= max(LEAST_BATCH, 8 * config.splits):
        batch //= 2
    while images < batch and batch > 8:  # so few that an epoch has no step
        batch //= 2
    while batch < 4 * groups and groups > 2:
        groups //= 2
    queue = config.queue_size
    while queue > images / QUEUE_SHARE and queue // 2 >= 2 * batch:
        queue //= 2
    return {"batch_size": batch, "batch_norm_splits": groups, "queue_size": queue}
