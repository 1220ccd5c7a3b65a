"""Images for a training loop of one's own: any dataset that MoCo takes, split and cached as for it.

`find_images` is the `find_data` of `study.from_function`, `IMAGE_FIELDS`
are fields for its defaults, and the loop calls `load_images` with the `cached` that it is given.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moco.config import Config
from moco.data import cache, checks
from moco.data.dataset import Split
from moco.data.splits import make_splits
from moco.trainer.dataset_facts import DatasetFacts, data_rows, duplicates_row
from moco.trainer.trainer import NO_LABELS, Prepared, Request

NAMES = (
    "dataset",
    "image_size",
    "train_images",
    "validation_share",
    "split_seed",
    "score_split",
)
IMAGE_FIELDS = {name: getattr(Config(), name) for name in NAMES}


def find_images(request: Request) -> Prepared:
    """The dataset of a study.

    Raises:
        ValueError: a field or the data is wrong, or it has no labels.
    """
    sample = request.shared or next(iter(request.arms.values()))  # any trial's
    config = data_config({**sample, "dataset": request.dataset})
    cached = cache.prepare(request.dataset, config.image_size, request.data_dir).resolve()
    dataset = cache.load_dataset(cached)
    if not dataset.classes:
        raise ValueError(NO_LABELS.format(title=dataset.title))
    splits = make_splits(dataset, config)
    parts = zip(("train", "validation", "test"), splits[:3], strict=True)
    train, test = (split.images.numpy() for split in (dataset.train, dataset.test))
    images, same = len(splits.train.labels), checks.count_duplicates(train, test)
    facts = DatasetFacts(
        fingerprint=dataset.fingerprint,
        name=dataset.name,
        title=dataset.title,
        bundled=dataset.bundled,
        classes=tuple(dataset.classes),
        counts={name: len(split.labels) for name, split in parts},
        chance={},
        warnings=tuple(checks.data_warnings(train, test, 0, images, dataset.modes)),
        about=tuple(data_rows(dataset, config, splits)),
        provenance=(duplicates_row(same),),
        duplicates=same,
    )
    fields = {"dataset": dataset.name}
    return Prepared(data=facts, fields=fields, absent={}, found={}, inputs={"cached": cached})


def load_images(config: Mapping[str, Any], cached: Path) -> tuple[Split, Split]:
    """The training images, and those that a trial is scored on: validation or test.

    Images are bytes (N, C, H, W), labels (N,) from 0.
    """
    own = data_config(config)
    splits = make_splits(cache.load_dataset(cached), own)
    return splits.train, splits.scoring_split(own)


def data_config(fields: Mapping[str, Any]) -> Config:
    """The fields of IMAGE_FIELDS as a Config.

    Raises:
        ValueError: one is wrong.
    """
    return Config.of({name: value for name, value in fields.items() if name in IMAGE_FIELDS})
