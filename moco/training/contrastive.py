"""MoCo pretraining: a generator of one EpochResult an epoch."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from moco import distributed
from moco.config import Config
from moco.data.dataset import Dataset
from moco.data.preprocessing import input_size
from moco.device import pick_device, pick_precision
from moco.model.encoder import Encoder, build_encoder
from moco.model.moco import ContrastiveOutput, MoCo
from moco.schedules import current_key_momentum
from moco.seed import Source, make_generator
from moco.training import diagnostics
from moco.training.cuda_graphs import can_record, record_passes
from moco.training.loop import (
    EpochGenerators,
    EpochResult,
    Training,
    TrainingBatch,
    gradient_norm,
)


class PretrainingMetrics(NamedTuple):
    """The metrics of one epoch; those that are no mean over the epoch are of its last step.

    K keys in the queue, N images of a batch, C features of a projection.
    """

    epoch: int  # counted from 1
    step: int  # optimizer steps so far
    loss: float  # mean over the steps, nats; the symmetric loss as the mean of its two halves
    lr: float  # of the last step
    chance_loss: float  # ln(1 + K), nats: the loss of guessing
    contrastive_accuracy: float  # mean over the steps with a full queue of real keys; NaN before
    alignment: float  # mean over the steps of |query - key|² of the same image; 0 to 4
    # ln of the mean of exp(-2 |query - query'|²) over pairs of the batch; 0 for collapsed features
    uniformity: float
    # mean standard deviation of the queries' features over the batch, times √C; about 1 for
    # uniformly distributed unit vectors, 0 for collapsed ones
    projection_std: float
    projection_rank: float  # effective rank of the batch's queries, at most min(N, C)
    queue_fill: float  # share of real keys in the queue
    # mean over the steps of the share of queries for whose image the queue held an older key,
    # masked or not
    own_keys: float
    queue_age: float  # steps since the oldest real key was made
    key_drift: float  # |query weights - key weights| / |query weights|
    gradient_norm: float
    key_momentum: float
    images_per_second: float  # over all workers, augmentation included
    seconds: float


class Pretraining(Training):
    """MoCo: the optimizer trains the query encoder, the key encoder follows it."""

    views_per_image = 2
    last_output: ContrastiveOutput  # of the last step

    def __init__(self, config: Config, dataset: Dataset, images: Tensor) -> None:
        """`images`: uint8 (N, channels, H, W)."""
        encoder = build_encoder(config, images.shape[1])
        precision = pick_precision(config, pick_device(config.device), input_size(config, images))
        self.moco = MoCo(
            config,
            encoder,
            generator=make_generator(config.seed, Source.QUEUE),
            precision=precision,
        )
        super().__init__(config, dataset, images, model=self.moco, trained=self.moco.query_encoder)
        self.records_graphs = can_record(config, self.device)
        if config.compile == "on":
            for encoder in (self.moco.query_encoder, self.moco.key_encoder):
                encoder.compile(dynamic=False)  # in place, so the names in its state do not change

    def forward(self, batch: TrainingBatch, generators: EpochGenerators) -> tuple[Tensor, Tensor]:
        self.moco.key_momentum = current_key_momentum(
            self.config.key_momentum_schedule, self.config.key_momentum, self.progress
        )
        query_view, key_view = batch.views
        if self.records_graphs and not self.moco.graphed_passes:
            record_passes(self.moco, query_view)
        output = self.moco(query_view, key_view, batch.images_N, generator=generators.shuffle)
        self.last_output = output
        metrics = [output.loss, output.accuracy, output.alignment, output.own_keys]
        return output.loss, torch.stack(metrics)

    @property
    def encoder(self) -> Encoder:
        return self.moco.query_encoder

    def run_epoch(self) -> EpochResult:
        summary = self.train_epoch()
        loss, accuracy, alignment, own_keys = summary.means
        config, queue = self.config, self.moco.queue
        queries = distributed.all_gather(self.last_output.query_NC).float()
        metrics = PretrainingMetrics(
            epoch=self.epoch,
            step=self.step,
            loss=loss / 2 if config.loss == "symmetric_sum" else loss,
            lr=summary.lr,
            chance_loss=diagnostics.chance_loss(config.queue_size),
            contrastive_accuracy=accuracy,
            alignment=alignment,
            uniformity=diagnostics.uniformity(queries),
            projection_std=diagnostics.feature_std(queries),
            projection_rank=diagnostics.effective_rank(queries),
            queue_fill=float(queue.filled) / len(queue.keys_KC),
            own_keys=own_keys,
            queue_age=float(queue.filled) / (config.batch_size * config.keys_per_image),
            key_drift=diagnostics.key_encoder_drift(self.moco.query_encoder, self.moco.key_encoder),
            gradient_norm=float(gradient_norm(self.parameters)),
            key_momentum=self.moco.key_momentum,
            images_per_second=summary.images_per_second,
            seconds=summary.seconds,
        )
        return EpochResult(metrics=metrics, encoder=self.encoder, state=self.state_dict())


def pretrain(
    config: Config, dataset: Dataset, images: Tensor, state: dict[str, Any] | None = None
) -> Iterator[EpochResult]:
    """Pretrain a new model, or continue from the state of an earlier epoch.

    On a CPU, a continued run gives the same numbers as an uninterrupted one, bit for bit.

    Args:
        config: of the trial.
        dataset: gives the statistics that normalise the views, and their recipe.
        images: uint8 (N, channels, H, W).
        state: `EpochResult.state` of a run with the same config.

    Raises:
        ValueError: there are fewer images than a batch, or a field names nothing that exists.
    """
    training = Pretraining(config, dataset, images)
    if state is not None:
        training.load_state_dict(state)
    yield from training.epochs()
