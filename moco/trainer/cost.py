"""What a trial costs, measured by a few of its steps."""

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
from moco.trainer.trial import METHODS
from moco.training.loop import epoch_generators

STEPS = 4


def estimate_seconds(values: dict[str, Any], cached: Path, threads: int = 1) -> float:
    """About how many seconds a trial of this config takes here with so many threads.

    Training, fine-tuning (as if its steps were those of training) and encoding for the evaluation
    are counted, the probe itself is not.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        config = replace(
            Config.of(values), compile="off"
        )  # compiling would cost more than all else
        dataset = cache.load_dataset(cached)
        splits = make_splits(dataset, config)
        method = config.method if config.method in METHODS else "supervised"
        run = METHODS[method](config, dataset, splits)
        generators = epoch_generators(config.seed, 1)
        images = torch.arange(config.batch_size, device=run.device)

        def train(steps: int) -> None:
            for _ in range(steps):
                run.train_step(run.make_batch(images, generators), generators)

        train(1)  # the first step also sets things up
        step = measure_seconds(lambda: train(STEPS)) / STEPS
        few = Split(splits.train.images[:BATCH_SIZE], splits.train.labels[:BATCH_SIZE])
        encode = measure_seconds(lambda: extract_features(run.encoder, few, dataset, config))
    finally:
        torch.set_num_threads(before)
    # a method that pretrains measures kNN every so many epochs besides
    measurements = -(-config.epochs // config.knn_every) + 1 if config.pretrains else 1
    train_images, validation_images, test_images = (len(split.labels) for split in splits[:3])
    encoded = measurements * (train_images + validation_images) + test_images
    epochs = config.finetune_epochs + (config.epochs if config.method in METHODS else 0)
    return epochs * run.steps_per_epoch * step + encoded * encode / len(few.labels)


COST_FIELDS = (  # what a trial's cost depends on
    "method", "encoder", "width", "stem", "image_size", "input_size", "epochs", "finetune_epochs",
    "pretrain_split", "train_images", "batch_size", "queue_size", "attention", "loss",
)  # fmt: skip


def group_by_cost(configs: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """One config of each kind that differs in cost, without weights, and how many are like it."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for config in configs:
        kind = tuple(config.get(name) for name in COST_FIELDS)
        groups.setdefault(kind, []).append(config)
    return [({**alike[0], "weights": ""}, len(alike)) for alike in groups.values()]


def measure_seconds(work: Any) -> float:
    """Seconds that a call takes, work queued on a GPU included."""
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    if torch.backends.mps.is_available():
        torch.mps.synchronize()
    return time.perf_counter() - started
