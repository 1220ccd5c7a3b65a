"""Training on labels: the ceiling of an encoder from scratch or from pretrained weights, and fine-tuning after a probe."""

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moco.config import Config
from moco.data.dataset import Dataset, Split
from moco.data.preprocessing import seen_size
from moco.device import passes, pick_device, pick_precision
from moco.model.encoder import Encoder, build_encoder
from moco.model.features import extract
from moco.seed import Source, derived_seed, seed_weights
from moco.training.loop import Batch, Chance, Epoch, Training, gradient_norm


class EpochMetrics(NamedTuple):
    """One epoch of training on labels."""

    epoch: int  # counted from 1
    step: int  # optimizer steps so far
    loss: float  # cross-entropy, mean over the epoch's steps, nats; chance is ln(classes)
    lr: float  # of the epoch's last step
    training_accuracy: float  # over the epoch's views
    gradient_norm: float  # of the last step
    images_per_second: float  # over all workers, views included
    seconds: float


class Classifier(nn.Module):
    """An encoder's backbone with one linear layer to the classes; the projection head is idle."""

    def __init__(self, encoder: Encoder, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.linear = nn.Linear(encoder.feature_size, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes)."""
        return self.linear(self.encoder.features(images))


class Supervised(Training):
    """Backbone and classifier learn the labels by cross-entropy."""

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
            self.classifier,
            nn.ModuleList([encoder.backbone, encoder.attention, self.classifier.linear]),
        )
        self.precision = pick_precision(config, self.device, seen_size(config, train.images))

    def forward(self, batch: Batch, chance: Chance) -> tuple[Tensor, Tensor]:
        labels, (view,) = self.labels[batch.images_N], batch.views
        with passes(self.device, self.precision):
            logits = self.classifier(view)
        loss = F.cross_entropy(logits.float(), labels)
        return loss, torch.stack([loss, (logits.argmax(1) == labels).float().mean()])

    @property
    def encoder(self) -> Encoder:
        return self.classifier.encoder

    def run_epoch(self) -> Epoch:
        (loss, accuracy), lr, seconds, speed = self.train_epoch()
        metrics = EpochMetrics(
            self.epoch,
            self.step,
            loss,
            lr,
            accuracy,
            float(gradient_norm(self.parameters)),
            speed,
            seconds,
        )
        return Epoch(metrics, self.encoder, self.state())


def supervised(config: Config, dataset: Dataset, train: Split) -> Supervised:
    """Training as the config says, from random weights or those of its file."""
    return Supervised(config, dataset, train, build_encoder(plain(config), train.images.shape[1]))


def finetuning(config: Config, dataset: Dataset, train: Split, encoder: Encoder) -> Supervised:
    """A copy of the encoder, to be trained on labels as a whole: SGD with momentum 0.9, no weight decay, cosine, crops and flips."""
    seed = derived_seed(config.seed, Source.FINETUNE) % 2**31
    config = replace(
        plain(config), method="supervised", views="auto", views_blur="auto", epochs=config.finetune_epochs, lr=config.finetune_lr, optimizer="sgd",
        momentum=0.9, weight_decay=0.0, schedule="cosine", warmup_epochs=0.0, weights="", seed=seed,
    )  # fmt: skip
    copy = Encoder(config, train.images.shape[1])
    copy.load_state_dict(encoder.state_dict())
    return Supervised(config, dataset, train, copy)


def plain(config: Config) -> Config:
    """The config with batch norm over a worker's batch: there are no keys to shuffle."""
    return config if config.batch_norm == "sync" else replace(config, batch_norm="plain")


@torch.no_grad()
def accuracy(classifier: Classifier, split: Split, dataset: Dataset, config: Config) -> float:
    """Share of a split's images, in [0, 1], that the classifier names rightly, as they are, without views; NaN where it diverged."""
    logits = classifier.linear(
        extract(classifier.encoder, split, dataset, config).features_ND
    ).cpu()
    return (
        float((logits.argmax(1) == split.labels).double().mean())
        if logits.isfinite().all()
        else math.nan
    )
