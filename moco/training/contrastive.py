"""MoCo pretraining: a generator of one Epoch an epoch. Stopping early is ceasing to iterate."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from moco import distributed
from moco.config import Config
from moco.data.dataset import Dataset
from moco.data.preprocessing import seen_size
from moco.device import pick_device, pick_precision
from moco.model.encoder import Encoder, build_encoder
from moco.model.moco import Contrast, MoCo
from moco.schedules import key_momentum
from moco.seed import Source, generator
from moco.training import diagnostics
from moco.training.loop import Batch, Chance, Epoch, Training, gradient_norm


class EpochMetrics(NamedTuple):
    """One epoch of pretraining. What is not a mean over the epoch is of its last step."""

    epoch: int  # counted from 1
    step: int  # optimizer steps so far
    loss: float  # mean over the epoch's steps, nats; the symmetric loss is given as the mean of its two halves
    lr: float  # of the epoch's last step
    chance_loss: float  # ln(1 + K), nats: the loss of one who guesses
    contrastive_accuracy: (
        float  # mean over the steps since the queue was full of real keys; NaN before
    )
    alignment: float  # mean over the steps of |query - key|² of the same image; 0 to 4
    uniformity: (
        float  # ln of the mean of exp(-2 |query - query'|²) over pairs of the batch; 0 is collapse
    )
    projection_std: float  # standard deviation of a query's feature over the batch, times √C: 1 is spread out, 0 is collapse
    projection_rank: float  # effective rank of the batch's queries, at most the smaller of N and C
    queue_fill: float  # share of the queue's keys that are real
    own_keys: float  # mean over the steps of the share of queries of whose image an older key was in the queue, masked or not
    queue_age: float  # steps since the oldest real key was made
    key_drift: float  # |query weights - key weights| / |query weights|
    gradient_norm: float
    key_momentum: float
    images_per_second: float  # over all workers, views included
    seconds: float


class Pretraining(Training):
    """The query encoder learns; the key encoder follows."""

    views_an_image = 2
    last: Contrast  # of the last step

    def __init__(self, config: Config, dataset: Dataset, images: Tensor) -> None:
        encoder = build_encoder(config, images.shape[1])
        precision = pick_precision(config, pick_device(config.device), seen_size(config, images))
        self.moco = MoCo(config, encoder, generator(config.seed, Source.QUEUE), precision)
        super().__init__(config, dataset, images, self.moco, self.moco.query_encoder)
        if config.compile == "on":
            for encoder in (self.moco.query_encoder, self.moco.key_encoder):
                encoder.compile(dynamic=False)  # in place: the names of the state stay

    def forward(self, batch: Batch, chance: Chance) -> tuple[Tensor, Tensor]:
        self.moco.key_momentum = key_momentum(
            self.config.key_momentum_schedule, self.config.key_momentum, self.progress
        )
        contrast = self.moco(*batch.views, batch.images_N, chance.shuffle)
        self.last = contrast
        return contrast.loss, torch.stack(
            [contrast.loss, contrast.accuracy, contrast.alignment, contrast.own_keys]
        )

    @property
    def encoder(self) -> Encoder:
        return self.moco.query_encoder

    def run_epoch(self) -> Epoch:
        (loss, accuracy, alignment, own_keys), lr, seconds, speed = self.train_epoch()
        queue, queries = self.moco.queue, distributed.gather(self.last.query_NC).float()
        metrics = EpochMetrics(
            epoch=self.epoch,
            step=self.step,
            loss=loss / 2 if self.config.loss == "symmetric_sum" else loss,
            lr=lr,
            chance_loss=diagnostics.chance_loss(self.config.queue_size),
            contrastive_accuracy=accuracy,
            alignment=alignment,
            uniformity=diagnostics.uniformity(queries),
            projection_std=diagnostics.spread(queries),
            projection_rank=diagnostics.effective_rank(queries),
            queue_fill=float(queue.filled) / len(queue.keys_KC),
            own_keys=own_keys,
            queue_age=float(queue.filled) / (self.config.batch_size * self.config.keys_an_image),
            key_drift=diagnostics.drift(self.moco.query_encoder, self.moco.key_encoder),
            gradient_norm=float(gradient_norm(self.parameters)),
            key_momentum=self.moco.key_momentum,
            images_per_second=speed,
            seconds=seconds,
        )
        return Epoch(metrics, self.encoder, self.state())


def pretrain(
    config: Config, dataset: Dataset, images: Tensor, state: dict[str, Any] | None = None
) -> Iterator[Epoch]:
    """Trains a fresh model, or goes on from a state that an earlier epoch left, bit for bit the same on a CPU.

    Args:
        config: the trial.
        dataset: its statistics normalise the views, its recipe draws them.
        images: uint8 (N, channels, H, W).
        state: `Epoch.state` of a run with the same config.

    Raises:
        ValueError: there are fewer images than a batch, or a field names nothing that exists.
    """
    run = Pretraining(config, dataset, images)
    if state is not None:
        run.load(state)
    yield from run.epochs()
