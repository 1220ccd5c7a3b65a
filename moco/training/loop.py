"""What every kind of training shares: the order of the images, their views, the schedule, the optimizer, and a state to go on from."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from moco import distributed
from moco.config import Config
from moco.data import augmentation
from moco.data.dataset import Dataset, statistics
from moco.data.preprocessing import seen_size
from moco.device import keep_pages, pick_device, send
from moco.model.encoder import Encoder
from moco.schedules import share_of_peak
from moco.seed import Source, generator
from moco.training.optimizers import build_optimizer


class Chance(NamedTuple):
    """The generators of one epoch; each a function of seed and epoch, so that a resumed epoch repeats the lost one."""

    views: torch.Generator
    shuffle: torch.Generator


class Batch(NamedTuple):
    """This worker's part of a step, on its device."""

    images_N: Tensor  # which training images
    views: tuple[Tensor, ...]  # `views_an_image` random views of them (N, C, H, W), normalised


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

    views_an_image = 1

    def __init__(
        self, config: Config, dataset: Dataset, images: Tensor, model: nn.Module, trained: nn.Module
    ) -> None:
        """`images` are uint8 (N, channels, H, W); `trained` is the part of the model that the optimizer owns."""
        if len(images) < config.batch_size:
            raise ValueError(
                f"batch_size must not exceed the training split; got {config.batch_size} for {len(images)} images"
            )
        if config.batch_size % distributed.count():
            raise ValueError(
                f"batch_size must be a multiple of the workers; got {config.batch_size} for {distributed.count()}"
            )
        self.config, self.epoch, self.step = config, 0, 0
        self.device = pick_device(config.device)
        keep_pages()
        self.images = images.to(self.device)
        self.recipe = augmentation.recipe(config, dataset.views)
        self.mean, self.std = (x.to(self.device) for x in statistics(dataset, config))
        self.model = model.to(self.device).to(memory_format=torch.channels_last).train()
        self.parameters: list[Tensor] = list(trained.parameters())
        self.optimizer = build_optimizer(config, trained)
        self.steps_an_epoch = len(self.images) // config.batch_size

    @abstractmethod
    def forward(self, batch: Batch, chance: Chance) -> tuple[Tensor, Tensor]:
        """The loss of a batch, and the numbers (M,) whose mean over the epoch is wanted, the loss first."""

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
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
        }

    def train_epoch(self) -> Pass:
        """One pass over the images in a new order."""
        started = time.perf_counter()
        self.epoch += 1
        chance = Chance(
            *(
                generator(self.config.seed, source, self.epoch)
                for source in (Source.VIEWS, Source.SHUFFLE)
            )
        )
        numbers, lr = [], 0.0
        for batch in ahead(self.batches(chance), self.device):
            lr = self.set_rate()
            numbers.append(self.train_step(batch, chance))
        distributed.average_statistics(self.model)
        means = (
            distributed.gather(means_of(torch.stack(numbers))[None]).mean(0).tolist()
        )  # the epoch's one wait for the device
        seconds = time.perf_counter() - started
        return Pass(means, lr, seconds, len(numbers) * self.config.batch_size / seconds)

    def train_step(self, batch: Batch, chance: Chance) -> Tensor:
        """One step of the optimizer; the numbers of `forward`, without gradient."""
        loss, numbers = self.forward(batch, chance)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        distributed.average_gradients(self.parameters)
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
        lr = self.config.lr * share_of_peak(
            self.config.schedule, self.step, self.config.epochs * self.steps_an_epoch, warmup
        )
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def batches(self, chance: Chance) -> Iterator[Batch]:
        """An epoch's batches in a new order, the same on every worker; what does not fill one is left out."""
        size = self.config.batch_size
        order = torch.randperm(
            len(self.images), generator=generator(self.config.seed, Source.ORDER, self.epoch)
        )
        order = send(order, self.device)
        for start in range(0, self.steps_an_epoch * size, size):
            yield self.batch(order[start : start + size], chance)

    def batch(self, images: Tensor, chance: Chance) -> Batch:
        """This worker's part of the batch of these images; views are drawn for the whole batch, on every worker alike."""
        height, width = self.images.shape[2:]
        drawn = [
            augmentation.draw(self.recipe, len(images), height, width, chance.views)
            for _ in range(self.views_an_image)
        ]
        parameters = augmentation.Parameters(
            *(
                torch.cat([distributed.share(part) for part in parts])
                for parts in zip(*drawn, strict=True)
            )
        )
        images = distributed.share(images)
        pixels = self.images[images.repeat(self.views_an_image)]
        made = augmentation.render(
            pixels,
            parameters,
            seen_size(self.config, self.images),
            grayscale_first=self.recipe.grayscale_first,
            normal=(self.mean, self.std),
        )
        return Batch(images, made.chunk(self.views_an_image))


def ahead(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """The same batches; a GPU makes each while it runs the step before."""
    if device.type != "cuda":
        yield from batches
        return
    aside, main = torch.cuda.Stream(device), torch.cuda.current_stream(device)
    while True:
        with torch.cuda.stream(aside):
            batch = next(batches, None)
        if batch is None:
            return
        main.wait_stream(aside)
        for tensor in (batch.images_N, *batch.views):
            tensor.record_stream(
                main
            )  # else its memory could be given away while the step still reads it
        yield batch


def means_of(numbers_SM: Tensor) -> Tensor:
    """Means (M,) over the steps: of the loss, the first, as it is; of the others over the steps that have one, NaN where none has."""
    return torch.cat([numbers_SM[:, :1].mean(0), numbers_SM[:, 1:].nanmean(0)])


def gradient_norm(parameters: list[Tensor]) -> Tensor:
    """Euclidean norm of the gradients that the last step left."""
    return torch.stack(
        torch._foreach_norm([p.grad for p in parameters if p.grad is not None])
    ).norm()
