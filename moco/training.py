"""What every kind of training shares: the order of the images, their views, the schedule, the optimizer, and a state to go on from."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from moco import views, workers
from moco.config import Config
from moco.data import Dataset, statistics
from moco.device import pick_device
from moco.encoder import Encoder
from moco.optimizers import build_optimizer
from moco.schedules import share_of_peak
from moco.seed import Source, generator


class Chance(NamedTuple):
    """The generators of one epoch; each a function of seed and epoch, so that a resumed epoch repeats the lost one."""

    views: torch.Generator
    shuffle: torch.Generator


class Pass(NamedTuple):
    """One pass over the images."""

    means: list[float]  # of the numbers of `forward` over steps and workers, by `means_of`
    lr: float  # of the last step
    seconds: float
    images_per_second: float  # over all workers, views included


class Epoch(NamedTuple):
    """What an epoch leaves: its numbers, the encoder as it is now, and the state from which training goes on exactly."""

    metrics: Any  # a NamedTuple of numbers, `epoch` and `loss` among them
    encoder: Encoder
    state: dict[str, Any]  # tensors, alive: save it before asking for the next epoch


class Training(ABC):
    """Model, optimizer and data of one run on this worker's device. Each epoch is the same however often training was stopped between.

    Raises:
        ValueError: the images do not fill a batch, or the batch does not divide over the workers.
    """

    def __init__(self, config: Config, dataset: Dataset, images: Tensor, model: nn.Module, trained: nn.Module) -> None:
        """`images` are uint8 (N, channels, H, W); `trained` is the part of the model that the optimizer owns."""
        if len(images) < config.batch_size:
            raise ValueError(f"batch_size must not exceed the training split; got {config.batch_size} for {len(images)} images")
        if config.batch_size % workers.count():
            raise ValueError(f"batch_size must be a multiple of the workers; got {config.batch_size} for {workers.count()}")
        self.config, self.epoch, self.step = config, 0, 0
        self.device = pick_device(config.device)
        self.images = images.to(self.device)
        self.recipe = views.recipe(config, dataset.views)
        self.mean, self.std = (x.to(self.device) for x in statistics(dataset, config))
        self.model = model.to(self.device).to(memory_format=torch.channels_last).train()
        self.parameters: list[Tensor] = list(trained.parameters())
        self.optimizer = build_optimizer(config, trained)
        self.steps_an_epoch = len(self.images) // config.batch_size

    @abstractmethod
    def forward(self, batch: Tensor, chance: Chance) -> tuple[Tensor, Tensor]:
        """The loss of a batch, given by its indices, and the numbers (M,) whose mean over the epoch is wanted, the loss first."""

    @property
    @abstractmethod
    def encoder(self) -> Encoder:
        """The encoder that is trained."""

    @abstractmethod
    def run_epoch(self) -> Epoch:
        """One epoch and its numbers."""

    def epochs(self) -> Iterator[Epoch]:
        """The epochs that are left."""
        while self.epoch < self.config.epochs:
            yield self.run_epoch()

    def load(self, state: dict[str, Any]) -> None:
        """Takes up what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step = state["epoch"], state["step"]

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on, alive; chance needs none, it follows from seed and epoch."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "epoch": self.epoch, "step": self.step}

    def train_epoch(self) -> Pass:
        """One pass over the images in a new order."""
        started = time.perf_counter()
        self.epoch += 1
        chance = Chance(*(generator(self.config.seed, source, self.epoch) for source in (Source.VIEWS, Source.SHUFFLE)))
        numbers, lr = [], 0.0
        for batch in epoch_batches(self.config, len(self.images), self.epoch):
            lr = self.set_rate()
            numbers.append(self.train_step(batch, chance))
        workers.average_statistics(self.model)
        means = workers.gather(means_of(torch.stack(numbers))[None]).mean(0).tolist()  # the epoch's one wait for the device
        seconds = time.perf_counter() - started
        return Pass(means, lr, seconds, len(numbers) * self.config.batch_size / seconds)

    def train_step(self, batch: Tensor, chance: Chance) -> Tensor:
        """One step of the optimizer; the numbers of `forward`, without gradient."""
        loss, numbers = self.forward(batch, chance)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        workers.average_gradients(self.parameters)
        self.optimizer.step()
        self.step += 1
        return numbers.detach()

    @property
    def progress(self) -> float:
        """The share of the run's steps that are done, in [0, 1]."""
        return self.step / (self.config.epochs * self.steps_an_epoch)

    def set_rate(self) -> float:
        """Sets the learning rate of the coming step and returns it."""
        warmup = round(self.config.warmup_epochs * self.steps_an_epoch)
        lr = self.config.lr * share_of_peak(self.config.schedule, self.step, self.config.epochs * self.steps_an_epoch, warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def view(self, batch: Tensor, chance: Chance) -> Tensor:
        """This worker's part of one random view of the batch, normalised; the draw is for the whole batch, on every worker alike."""
        parameters = views.draw(self.recipe, len(batch), self.images.shape[2], self.images.shape[3], chance.views)
        parameters = views.Parameters(*(workers.share(part) for part in parameters))
        mine = self.images[workers.share(batch).to(self.device)]
        pixels = views.render(mine, parameters, self.images.shape[2], grayscale_first=self.recipe.grayscale_first)
        return ((pixels - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


def epoch_batches(config: Config, images: int, epoch: int) -> Iterator[Tensor]:
    """Index batches of one epoch's permutation, the same on every worker; what does not fill a batch is left out."""
    order = torch.randperm(images, generator=generator(config.seed, Source.ORDER, epoch))
    for start in range(0, images - config.batch_size + 1, config.batch_size):
        yield order[start : start + config.batch_size]


def means_of(numbers_SM: Tensor) -> Tensor:
    """Means (M,) over the steps: of the loss, the first, as it is; of the others over the steps that have one, NaN where none has."""
    return torch.cat([numbers_SM[:, :1].mean(0), numbers_SM[:, 1:].nanmean(0)])


def gradient_norm(parameters: list[Tensor]) -> Tensor:
    """Euclidean norm of the gradients that the last step left."""
    return torch.stack(torch._foreach_norm([p.grad for p in parameters if p.grad is not None])).norm()
