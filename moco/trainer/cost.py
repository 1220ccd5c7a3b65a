"""What a trial will cost, measured by a few steps of it."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from moco.config import Config
from moco.data import cache
from moco.data.dataset import Split
from moco.data.splits import make_splits
from moco.model.features import BATCH_SIZE, extract_features
from moco.seed import Source, make_generator
from moco.trainer.trial import METHODS
from moco.training.loop import EpochGenerators

STEPS = 4


def estimate_seconds(values: dict[str, Any], cached: Path, threads: int = 1) -> float:
    """About how many seconds a trial of this config takes on this machine with so many threads.

    Training, fine-tuning (as if its steps were those of training) and encoding for the evaluation are counted, the probe itself is not.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        config = replace(
            Config.of(values), compile="off"
        )  # that would cost more than all else here
        dataset = cache.load_dataset(cached)
        splits = make_splits(dataset, config)
        run = METHODS[config.method if config.method in METHODS else "supervised"](
            config, dataset, splits
        )
        chance = EpochGenerators(
            *(make_generator(config.seed, source, 1) for source in (Source.VIEWS, Source.SHUFFLE))
        )
        images = torch.arange(config.batch_size, device=run.device)
        run.train_step(run.make_batch(images, chance), chance)  # the first step also sets things up
        step = (
            measure_seconds(
                lambda: [
                    run.train_step(run.make_batch(images, chance), chance) for _ in range(STEPS)
                ]
            )
            / STEPS
        )
        few = Split(splits.train.images[:BATCH_SIZE], splits.train.labels[:BATCH_SIZE])
        image = measure_seconds(lambda: extract_features(run.encoder, few, dataset, config)) / len(
            few.labels
        )
    finally:
        torch.set_num_threads(before)
    measured = -(-config.epochs // config.knn_every)
    encoded = (measured + 1) * (len(splits.train.labels) + len(splits.validation.labels)) + len(
        splits.test.labels
    )
    epochs = config.finetune_epochs + (config.epochs if config.method in METHODS else 0)
    return epochs * run.steps_per_epoch * step + encoded * image


KIND = (
    "method",
    "encoder",
    "width",
    "stem",
    "image_size",
    "input_size",
    "epochs",
    "finetune_epochs",
)  # what a trial's cost hangs on


def group_by_cost(configs: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """The configs that differ in cost, one of each kind and how many are like it; their weights are left out, which cost nothing."""
    found: dict[tuple[Any, ...], tuple[dict[str, Any], int]] = {}
    for config in configs:
        kind = tuple(config.get(name) for name in KIND)
        found[kind] = (
            {**found.get(kind, (config, 0))[0], "weights": ""},
            found.get(kind, (config, 0))[1] + 1,
        )
    return list(found.values())


def measure_seconds(work: Any) -> float:
    """Seconds that a call takes, work queued on a GPU included."""
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    if torch.backends.mps.is_available():
        torch.mps.synchronize()
    return time.perf_counter() - started
