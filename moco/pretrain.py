"""The pretraining loop: a generator of one Epoch an epoch. Stopping early is ceasing to iterate."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from moco import views, workers
from moco.config import Config
from moco.data import Dataset, Split
from moco.device import pick_device, pick_precision
from moco.encoder import Encoder
from moco.model import Contrast, MoCo
from moco.optimizers import build_optimizer
from moco.schedules import share_of_peak
from moco.seed import Source, generator, seed_weights


class EpochMetrics(NamedTuple):
    """One epoch of pretraining."""

    epoch: int  # counted from 1
    step: int  # optimizer steps so far
    loss: float  # mean over the epoch's steps, nats; chance is ln(1 + K)
    lr: float  # of the epoch's last step
    contrastive_accuracy: float  # mean over the steps since the queue was full of real keys; NaN before
    images_per_second: float  # over all workers, views included
    seconds: float


class Epoch(NamedTuple):
    """What an epoch leaves: its numbers, the encoder as it is now, and the state from which training goes on exactly."""

    metrics: EpochMetrics
    encoder: Encoder  # the query encoder
    state: dict[str, Any]  # tensors, alive: save it before asking for the next epoch


def pretrain(config: Config, dataset: Dataset, train: Split, state: dict[str, Any] | None = None) -> Iterator[Epoch]:
    """Trains a fresh model, or goes on from a state that an earlier epoch left, bit for bit the same on a CPU.

    Args:
        config: the trial.
        dataset: its statistics normalise the views, its recipe draws them.
        train: uint8 images (N, channels, H, W); labels are not looked at.
        state: `Epoch.state` of a run with the same config.

    Raises:
        ValueError: the training split has fewer images than a batch, or a field names nothing that exists.
    """
    if len(train.images) < config.batch_size:
        raise ValueError(f"batch_size must not exceed the training split; got {config.batch_size} for {len(train.images)} images")
    if config.batch_size % workers.count():
        raise ValueError(f"batch_size must be a multiple of the workers; got {config.batch_size} for {workers.count()}")
    run = Run(config, dataset, train)
    if state is not None:
        run.load(state)
    while run.epoch < config.epochs:
        yield run.train_epoch()


def epoch_batches(config: Config, images: int, epoch: int) -> Iterator[Tensor]:
    """Index batches of one epoch's permutation, the same on every worker; what does not fill a batch is left out."""
    order = torch.randperm(images, generator=generator(config.seed, Source.ORDER, epoch))
    for start in range(0, images - config.batch_size + 1, config.batch_size):
        yield order[start : start + config.batch_size]


class Run:
    """Model, optimizer and data of one pretraining run on this worker's device."""

    def __init__(self, config: Config, dataset: Dataset, train: Split) -> None:
        self.config, self.epoch, self.step = config, 0, 0
        self.device = pick_device(config.device)
        self.images = train.images.to(self.device)
        self.recipe = views.recipe(config.views, dataset.views)
        self.mean, self.std = (torch.tensor(x, device=self.device)[:, None, None] for x in (dataset.mean, dataset.std))
        seed_weights(config.seed)
        self.model = MoCo(config, self.images.shape[1], generator(config.seed, Source.QUEUE), pick_precision(config, self.device))
        self.model.to(self.device).to(memory_format=torch.channels_last).train()
        self.parameters = list(self.model.query_encoder.parameters())
        self.optimizer = build_optimizer(config, self.parameters)
        self.steps_an_epoch = len(self.images) // config.batch_size

    def load(self, state: dict[str, Any]) -> None:
        """Takes up the state that `train_epoch` left."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step = state["epoch"], state["step"]

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on; chance needs none, it follows from seed and epoch."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "epoch": self.epoch, "step": self.step}

    def train_epoch(self) -> Epoch:
        """One pass over the training images in a new order; a last batch that is not full is left out."""
        started = time.perf_counter()
        self.epoch += 1
        draws = generator(self.config.seed, Source.VIEWS, self.epoch)
        shuffles = generator(self.config.seed, Source.SHUFFLE, self.epoch)
        losses, accuracies, lr = [], [], 0.0
        for batch in epoch_batches(self.config, len(self.images), self.epoch):
            lr = self.set_rate()
            contrast = self.train_step(batch, draws, shuffles)
            losses.append(contrast.loss.detach())
            accuracies.append(contrast.accuracy)
        loss = float(workers.mean(torch.stack(losses).mean()))
        accuracy = float(workers.mean(torch.stack(accuracies).nanmean()))
        seconds = time.perf_counter() - started
        speed = len(losses) * self.config.batch_size / seconds
        return Epoch(EpochMetrics(self.epoch, self.step, loss, lr, accuracy, speed, seconds), self.model.query_encoder, self.state())

    def train_step(self, batch: Tensor, draws: torch.Generator, shuffles: torch.Generator) -> Contrast:
        """Two views of a batch, given by its indices, and one step of the optimizer."""
        query_view, key_view = self.view(batch, draws), self.view(batch, draws)
        contrast = self.model(query_view, key_view, shuffles)
        self.optimizer.zero_grad(set_to_none=True)
        contrast.loss.backward()
        workers.average_gradients(self.parameters)
        self.optimizer.step()
        self.step += 1
        return contrast

    def set_rate(self) -> float:
        """Sets the learning rate of the coming step and returns it."""
        warmup = round(self.config.warmup_epochs * self.steps_an_epoch)
        lr = self.config.lr * share_of_peak(self.config.schedule, self.step, self.config.epochs * self.steps_an_epoch, warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def view(self, batch: Tensor, draws: torch.Generator) -> Tensor:
        """This worker's part of one random view of the batch, normalised; the draw is for the whole batch, on every worker alike."""
        size = self.config.image_size
        parameters = views.draw(self.recipe, len(batch), self.images.shape[2], self.images.shape[3], draws)
        parameters = views.Parameters(*(workers.share(part) for part in parameters))
        pixels = views.render(self.images[workers.share(batch).to(self.device)], parameters, size)
        return ((pixels - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
