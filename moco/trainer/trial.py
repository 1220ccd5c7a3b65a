"""One trial from config to result: train, checkpoint after every epoch, evaluate, and fine-tune where that is asked for."""

import json
import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

from moco import distributed
from moco.config import Config
from moco.data import cache
from moco.data.dataset import Dataset
from moco.data.splits import Splits, make_splits, with_training_labels
from moco.device import pick_device
from moco.evaluation.attention_maps import attention_pictures
from moco.evaluation.evaluate import evaluate, validation_knn
from moco.model.encoder import Encoder, build_encoder
from moco.model.published_weights import with_local_weights
from moco.training import checkpoint, diagnostics
from moco.training.contrastive import Pretraining
from moco.training.loop import Training
from moco.training.supervised import (
    SupervisedTraining,
    build_finetuning,
    build_supervised_training,
    classifier_accuracy,
    with_plain_batch_norm,
)

METHODS = {
    "moco": lambda config, dataset, splits: Pretraining(config, dataset, splits.pretrain),
    "supervised": lambda config, dataset, splits: build_supervised_training(
        config, dataset, with_training_labels(splits.train, config)
    ),
}


def run_config(
    values: dict[str, Any], folder: Path, cached: Path, **weights: Path
) -> Generator[dict[str, Any], None, dict[str, Any]]:
    """Yields one dict of numbers an epoch and returns the result; started again with the same folder it goes on where it was.

    Epochs that the checkpoint already holds are yielded again from it, so that the curve is always whole.

    Args:
        values: the fields of a Config.
        folder: keeps this trial's checkpoints, and after the end `encoder.pt` (the backbone by torchvision's names), `head.pt`,
            `attention.pt` and `pictures.json` where there are such, and `evaluation.json` (accuracy by class, confusion).
        cached: a dataset as `moco.data.prepare` left it.
        weights: where files of weights are on this machine, by `moco.pretrained.key` of their SHA-256.

    Returns:
        Of the last epoch `own_keys` and `contrastive_accuracy` (MoCo only).
        Accuracies on `score_split`, in [0, 1]: `knn_accuracy` and `knn_projection_accuracy` (MoCo only), `probe_accuracy`,
        `probe_top5_accuracy`, `supervised_accuracy` and `finetune_accuracy` where there is one. `loss` (nats, last epoch),
        `probe_lr` or `probe_l2` with `probe_at_edge`, `probe_validation_accuracy`, `effective_rank` of the training features,
        `encoder_sha256`, `device`, `precision`, `parameters`, `feature_size`,
        `feature_scale` (their root mean square), with `probe_each` `probe_accuracy_lr_<rate>` and `probe_curves`, and
        `remarks`: sentences on what is plainly wrong.
    """
    config = with_local_weights(Config.of(values), weights)
    dataset = cache.load_dataset(cached)
    splits = make_splits(dataset, config)
    keeper = TrialCheckpoint(folder)
    yield from keeper.content["curve"]
    if keeper.content["result"] is not None:
        keeper.end()
        return keeper.content["result"]
    training = None
    if config.method == "frozen":
        encoder = build_encoder(with_plain_batch_norm(config), splits.train.images.shape[1]).to(
            pick_device(config.device)
        )
    else:
        training = METHODS[config.method](config, dataset, splits)
        encoder = training.encoder
        yield from train_epochs(training, keeper, splits, dataset)
    if keeper.content["evaluation"] is None:
        keeper.keep(evaluation=evaluate_encoder(encoder, training, keeper, splits, dataset, config))
    result = dict(keeper.content["evaluation"])
    if config.finetune_epochs:
        result["finetune_accuracy"] = finetune_accuracy(encoder, keeper, splits, dataset, config)
        if math.isnan(result["finetune_accuracy"]):
            result["remarks"] = [*result["remarks"], "Fine-tuning diverged: lower finetune_lr."]
    keeper.keep(result=result, state=None, finetuning=None)
    keeper.end()
    return result


def load_trial_checkpoint(folder: Path) -> dict[str, Any]:
    """What a trial's checkpoint holds: curve, state of the training, evaluation, state of the fine-tuning, result; None where not yet.

    Raises:
        ValueError: the file is the checkpoint of something else.
    """
    empty: dict[str, Any] = {
        "curve": [],
        "state": None,
        "evaluation": None,
        "finetuning": None,
        "result": None,
    }
    content = checkpoint.load_checkpoint(folder / "checkpoint.pt") or empty
    if not (isinstance(content, dict) and empty.keys() <= content.keys()):
        raise ValueError(
            f"{folder / 'checkpoint.pt'} must be the checkpoint of a run; it holds something else. Name another folder"
        )
    return content


class TrialCheckpoint:
    """A trial's checkpoint: the curve, the state of what is running, and what is already known. Only the first worker reads and writes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "checkpoint.pt"
        for name in (
            ("checkpoint.pt", "encoder.pt", "attention.pt", "head.pt")
            if distributed.rank() == 0
            else ()
        ):
            for draft in folder.glob(f"{name}.[0-9]*"):  # a kill during a save left it
                draft.unlink(missing_ok=True)
        self.content: dict[str, Any] = distributed.broadcast_from_first(
            lambda: load_trial_checkpoint(folder)
        )

    def keep(self, **changes: Any) -> None:
        """Saves the checkpoint with these changes."""
        self.content = {**self.content, **changes}
        if distributed.rank() == 0:
            checkpoint.save_generation(self.file, self.content)

    def end(self) -> None:
        """Only the result is worth its space now."""
        if distributed.rank() == 0:
            checkpoint.previous_path(self.file).unlink(missing_ok=True)

    def keep_pictures(self, pictures: list[dict[str, Any]]) -> None:
        """Leaves attention maps of some test images."""
        if distributed.rank() == 0:
            (self.folder / "pictures.json").write_text(json.dumps(pictures))

    def keep_encoder(self, encoder: Encoder, tables: dict[str, Any]) -> None:
        """Leaves the trained encoder and the tables of its evaluation beside the checkpoint."""
        if distributed.rank() == 0:
            checkpoint.save_atomically(
                self.folder / "encoder.pt",
                {name: tensor.cpu() for name, tensor in encoder.backbone.state_dict().items()},
            )
            if attention := {
                name: tensor.cpu() for name, tensor in encoder.attention.state_dict().items()
            }:
                checkpoint.save_atomically(self.folder / "attention.pt", attention)
            checkpoint.save_atomically(
                self.folder / "head.pt",
                {name: tensor.cpu() for name, tensor in encoder.head.state_dict().items()},
            )
            (self.folder / "evaluation.json").write_text(json.dumps(tables))


def train_epochs(
    training: Training, keeper: TrialCheckpoint, splits: Splits, dataset: Dataset
) -> Generator[dict[str, Any], None, None]:
    """Trains through the epochs that are left, a checkpoint after each; yields their numbers."""
    config = training.config
    if keeper.content["state"] is not None:
        training.load_state_dict(keeper.content["state"])
    for epoch in training.epochs():
        row = epoch.metrics._asdict()
        due = row["epoch"] == config.epochs or row["epoch"] % config.knn_every == 0
        row |= (
            validation_knn(epoch.encoder, splits, dataset, config)
            if due
            else {"knn_accuracy": None, "knn_projection_accuracy": None}
        )
        keeper.keep(curve=[*keeper.content["curve"], row], state=epoch.state)
        yield row


def finite_or_none(number: float) -> float | None:
    """A number of an epoch as one of the result, where only what diverged is no number: a queue that never filled has no accuracy."""
    return number if math.isfinite(number) else None


def evaluate_encoder(
    encoder: Encoder,
    training: Training | None,
    keeper: TrialCheckpoint,
    splits: Splits,
    dataset: Dataset,
    config: Config,
) -> dict[str, Any]:
    """The numbers of the trained encoder, which is left in the folder."""
    found, curve = evaluate(encoder, splits, dataset, config), keeper.content["curve"]
    numbers = {"loss": curve[-1]["loss"] if curve else None, **found.numbers}
    numbers |= {
        name: finite_or_none(curve[-1][name])
        for name in ("own_keys", "contrastive_accuracy")
        if curve and name in curve[-1]
    }
    if isinstance(training, SupervisedTraining):
        numbers["supervised_accuracy"] = classifier_accuracy(
            training.classifier, splits.scoring_split(config), dataset, config
        )
    if config.pictures and config.attention != "none":
        keeper.keep_pictures(
            attention_pictures(encoder, found.probe, splits.scoring_split(config), dataset, config)
        )
    numbers["remarks"] = diagnostics.remarks(curve, numbers, len(dataset.classes), config)
    keeper.keep_encoder(encoder, found.tables)
    return numbers


def finetune_accuracy(
    encoder: Encoder, keeper: TrialCheckpoint, splits: Splits, dataset: Dataset, config: Config
) -> float:
    """Accuracy after the whole encoder learned the labels, a checkpoint after each epoch."""
    training = build_finetuning(
        config, dataset, with_training_labels(splits.train, config), encoder
    )
    if keeper.content["finetuning"] is not None:
        training.load_state_dict(keeper.content["finetuning"])
    for epoch in training.epochs():
        keeper.keep(finetuning=epoch.state)
    return classifier_accuracy(
        training.classifier, splits.scoring_split(config), dataset, training.config
    )
