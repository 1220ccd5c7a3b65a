"""One trial from config to result: train, save after every epoch, evaluate, fine-tune."""

import math
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from torch import Tensor

from moco.config import Config
from moco.data import cache
from moco.data.dataset import Dataset
from moco.data.preprocessing import input_size
from moco.data.splits import Splits, make_splits, with_training_labels
from moco.device import pick_device
from moco.evaluation.attention_maps import attention_pictures
from moco.evaluation.correct_items import pack_correct
from moco.evaluation.evaluate import evaluate, validation_knn
from moco.model.encoder import Encoder, Pixels, build_encoder
from moco.model.published_weights import with_local_weights
from moco.own_code import use_own_code
from moco.trainer.trial_checkpoint import TrialCheckpoint, run_mark
from moco.training import diagnostics
from moco.training.contrastive import Pretraining
from moco.training.loop import Training
from moco.training.supervised import (
    SupervisedTraining,
    build_finetuning,
    build_supervised_training,
    classify_correctly,
    with_plain_batch_norm,
)

METHODS = {
    "moco": lambda config, dataset, splits: Pretraining(config, dataset, splits.pretrain),
    "supervised": lambda config, dataset, splits: build_supervised_training(
        config, dataset, with_training_labels(splits.train, config)
    ),
}


def run_config(
    values: dict[str, Any],
    folder: Path,
    cached: Path,
    *,
    on_step: Callable[[int, int], None] | None = None,
    **files: Path,
) -> Generator[dict[str, Any], None, dict[str, Any]]:
    """Yield one dict of numbers an epoch and return the result.

    Called again with the same folder it continues from its checkpoint; epochs that the checkpoint
    holds are yielded again, so that the curve is always complete.

    Args:
        values: the fields of a Config.
        folder: takes the checkpoints, and at the end `encoder.pt` (the backbone by torchvision's
            names), `head.pt`, `attention.pt` and `pictures.json` where there are such, and
            `evaluation.json` (accuracy by class, confusion).
        cached: a dataset as `moco.data.cache` left it.
        on_step: called after each step of the training with the steps done and all of them.
        files: where files of weights and packed code are on this machine, by
            `moco.model.published_weights.weights_key` and `moco.own_code.code_key`.

    Returns:
        Of the last epoch `loss` (nats), and of MoCo `own_keys`, `contrastive_accuracy`,
        `alignment` and `uniformity`. Accuracies on `score_split`, in [0, 1], None without labels:
        `knn_accuracy`, `knn_projection_accuracy` (MoCo only), `probe_accuracy`,
        `probe_top5_accuracy`, `supervised_accuracy` and `finetune_accuracy` where there is one.
        On the test split `probe_accuracy_1_percent` and `_10_percent`, with so few of the training
        labels, and `probe_correct` and `finetune_correct`: which images were right
        (`moco.evaluation.correct_items`).
        `probe_lr` (relative or raw, as `probe_rates` says) or `probe_l2` with `probe_at_edge`,
        `probe_validation_accuracy`, `effective_rank` of the training features, `encoder_sha256`,
        `device`, `precision`, `parameters`, `feature_size`, `feature_scale` (root mean square),
        with `probe_each` also `probe_accuracy_lr_<rate>` and `probe_curves`, and `remarks`:
        sentences on what is plainly wrong.
    """
    config = with_local_weights(Config.of(values), files)
    use_own_code(config, files)
    dataset = cache.load_dataset(cached)
    splits = make_splits(dataset, config)
    saved = TrialCheckpoint(folder, run_mark(values, dataset.fingerprint))
    yield from saved.content["curve"]
    if saved.content["result"] is not None:
        saved.delete_previous()
        return saved.content["result"]
    if config.method == "pixels":
        return evaluate_pixels(saved, splits, dataset, config)
    training = None
    if config.method == "frozen":
        encoder = build_encoder(with_plain_batch_norm(config), splits.train.images.shape[1]).to(
            pick_device(config.device)
        )
    else:
        training = METHODS[config.method](config, dataset, splits)
        encoder, training.on_step = training.encoder, on_step
        yield from train_epochs(training, saved, splits, dataset)
    if saved.content["evaluation"] is None:
        saved.save(evaluation=evaluate_encoder(encoder, training, saved, splits, dataset, config))
    result = dict(saved.content["evaluation"])
    result["remarks"] = [*result["remarks"], *saved.content.get("remarks", ())]
    if config.finetune_epochs:
        result |= finetune_numbers(encoder, saved, splits, dataset, config)
        if math.isnan(result["finetune_accuracy"]):
            result["remarks"] = [*result["remarks"], "Fine-tuning diverged: lower finetune_lr."]
    saved.save(result=result, state=None, finetuning=None)
    saved.delete_previous()
    return result


def evaluate_pixels(
    saved: "TrialCheckpoint", splits: Splits, dataset: Dataset, config: Config
) -> dict[str, Any]:
    """The result of the images themselves in the place of features; its tables are saved."""
    images = splits.train.images
    pixels = Pixels(images.shape[1], input_size(config, images)).to(pick_device(config.device))
    evaluation = evaluate(pixels, splits, dataset, config)
    saved.save_encoder(pixels, evaluation.tables)
    result = {"loss": None, **evaluation.numbers, "remarks": []}
    saved.save(result=result)
    saved.delete_previous()
    return result


def train_epochs(
    training: Training, saved: TrialCheckpoint, splits: Splits, dataset: Dataset
) -> Generator[dict[str, Any], None, None]:
    """Train the epochs that are left, save after each, and yield their numbers."""
    config = training.config
    if saved.content["state"] is not None:
        training.load_state_dict(saved.content["state"])
    for epoch in training.epochs():
        row = epoch.metrics._asdict()
        due = row["epoch"] == config.epochs or row["epoch"] % config.knn_every == 0
        if due and dataset.classes:
            row |= validation_knn(epoch.encoder, splits, dataset, config)
        else:
            row |= {"knn_accuracy": None, "knn_projection_accuracy": None}
        saved.save(curve=[*saved.content["curve"], row], state=epoch.state)
        yield row


def finite_or_none(number: float) -> float | None:
    """A number of an epoch as one of the result, where NaN means divergence.

    A queue that never filled has no contrastive accuracy.
    """
    return number if math.isfinite(number) else None


def evaluate_encoder(
    encoder: Encoder,
    training: Training | None,
    saved: TrialCheckpoint,
    splits: Splits,
    dataset: Dataset,
    config: Config,
) -> dict[str, Any]:
    """The numbers of the trained encoder, which is saved."""
    evaluation, curve = evaluate(encoder, splits, dataset, config), saved.content["curve"]
    numbers = {"loss": curve[-1]["loss"] if curve else None, **evaluation.numbers}
    numbers |= {
        name: finite_or_none(curve[-1][name])
        for name in ("own_keys", "contrastive_accuracy", "alignment", "uniformity")
        if curve and name in curve[-1]
    }
    if isinstance(training, SupervisedTraining):
        correct_N = classify_correctly(
            training.classifier, splits.scoring_split(config), dataset, config
        )
        numbers["supervised_accuracy"] = share_of(correct_N)
    if config.pictures and config.attention != "none" and evaluation.probe is not None:
        saved.save_pictures(
            attention_pictures(
                encoder, evaluation.probe, splits.scoring_split(config), dataset, config
            )
        )
    numbers["remarks"] = diagnostics.remarks(curve, numbers, len(dataset.classes), config)
    saved.save_encoder(encoder, evaluation.tables)
    return numbers


def share_of(correct_N: Tensor | None) -> float:
    """The share of images that are classified correctly, in [0, 1]; NaN of a diverged run."""
    return math.nan if correct_N is None else float(correct_N.double().mean())


def finetune_numbers(
    encoder: Encoder, saved: TrialCheckpoint, splits: Splits, dataset: Dataset, config: Config
) -> dict[str, Any]:
    """Accuracy after the whole encoder learned the labels, a checkpoint after each epoch."""
    training = build_finetuning(
        config, dataset, with_training_labels(splits.train, config), encoder
    )
    if saved.content["finetuning"] is not None:
        training.load_state_dict(saved.content["finetuning"])
    for epoch in training.epochs():
        saved.save(finetuning=epoch.state)
    correct_N = classify_correctly(
        training.classifier, splits.scoring_split(config), dataset, training.config
    )
    is_kept = config.score_split == "test"
    packed = pack_correct(correct_N) if correct_N is not None and is_kept else None
    return {"finetune_accuracy": share_of(correct_N), "finetune_correct": packed}
