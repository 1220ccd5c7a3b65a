"""Training on labels: the ceiling of an encoder, and fine-tuning after the probe."""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moco.config import Config
from moco.data.dataset import Dataset, Split
from moco.device import autocast, pick_device
from moco.model.encoder import Encoder, build_encoder
from moco.model.features import extract_features
from moco.seed import Source, derived_seed, seed_weights
from moco.training.loop import (
    EpochGenerators,
    EpochResult,
    Training,
    TrainingBatch,
    gradient_norm,
)


class SupervisedMetrics(NamedTuple):
    """The metrics of one epoch of training on labels."""

    epoch: int  # counted from 1
    step: int  # optimizer steps so far
    loss: float  # cross-entropy, mean over the steps, nats; guessing gives ln(classes)
    lr: float  # of the last step
    training_accuracy: float  # over the epoch's views
    gradient_norm: float  # of the last step
    images_per_second: float  # over all workers, augmentation included
    seconds: float


class Classifier(nn.Module):
    """An encoder's features and one linear layer; the projection head is not used."""

    def __init__(self, encoder: Encoder, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.linear = nn.Linear(encoder.feature_size, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes)."""
        return self.linear(self.encoder.features(images))


class SupervisedTraining(Training):
    """Training of backbone, attention and classifier by cross-entropy."""

    def __init__(self, config: Config, dataset: Dataset, train: Split, encoder: Encoder) -> None:
        seed_weights(config.seed, Source.CLASSIFIER)
        self.classifier = Classifier(encoder, len(dataset.classes))
        for parameter in encoder.head.parameters():
            parameter.requires_grad_(False)
        self.labels = train.labels.to(pick_device(config.device))
        super().__init__(
            config,
            dataset,
            train.images,
            model=self.classifier,
            trained=nn.ModuleList([encoder.backbone, encoder.attention, self.classifier.linear]),
        )

    def forward(self, batch: TrainingBatch, generators: EpochGenerators) -> tuple[Tensor, Tensor]:
        labels, (view,) = self.labels[batch.images_N], batch.views
        with autocast(self.device, self.precision):
            logits = self.classifier(view)
        loss = F.cross_entropy(logits.float(), labels)
        return loss, torch.stack([loss, (logits.argmax(1) == labels).float().mean()])

    @property
    def encoder(self) -> Encoder:
        return self.classifier.encoder

    def run_epoch(self) -> EpochResult:
        summary = self.train_epoch()
        loss, accuracy = summary.means
        metrics = SupervisedMetrics(
            epoch=self.epoch,
            step=self.step,
            loss=loss,
            lr=summary.lr,
            training_accuracy=accuracy,
            gradient_norm=float(gradient_norm(self.parameters)),
            images_per_second=summary.images_per_second,
            seconds=summary.seconds,
        )
        return EpochResult(metrics=metrics, encoder=self.encoder, state=self.state_dict())


def build_supervised_training(config: Config, dataset: Dataset, train: Split) -> SupervisedTraining:
    """Training of a new encoder, from random weights or those of the config's file."""
    encoder = build_encoder(with_plain_batch_norm(config), train.images.shape[1])
    return SupervisedTraining(config, dataset, train=train, encoder=encoder)


def build_finetuning(
    config: Config, dataset: Dataset, train: Split, encoder: Encoder
) -> SupervisedTraining:
    """Training of a copy of the encoder on labels, all layers.

    SGD with momentum 0.9, without weight decay, cosine schedule, crops and flips.
    """
    config = replace(
        with_plain_batch_norm(config),
        method="supervised",
        views="auto",
        views_blur="auto",
        epochs=config.finetune_epochs,
        lr=config.finetune_lr,
        optimizer="sgd",
        momentum=0.9,
        weight_decay=0.0,
        schedule="cosine",
        warmup_epochs=0.0,
        weights="",
        seed=derived_seed(config.seed, Source.FINETUNE) % 2**31,
    )
    copy = Encoder(config, train.images.shape[1])
    copy.load_state_dict(encoder.state_dict())
    return SupervisedTraining(config, dataset, train=train, encoder=copy)


def with_plain_batch_norm(config: Config) -> Config:
    """The config with batch norm over a worker's whole batch, since there are no keys to shuffle.

    Synchronised batch norm stays.
    """
    return config if config.batch_norm == "sync" else replace(config, batch_norm="plain")


@torch.no_grad()
def classify_correctly(
    classifier: Classifier, split: Split, dataset: Dataset, config: Config
) -> Tensor | None:
    """Which of a split's images are classified correctly, bool (N,); None if training diverged.

    The images are not augmented.
    """
    features = extract_features(classifier.encoder, split, dataset, config=config).features_ND
    logits = classifier.linear(features).cpu()
    if not logits.isfinite().all():
        return None
    return logits.argmax(1) == split.labels
