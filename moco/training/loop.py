"""The training loop of every method: order of the images, views, schedule, optimizer, state.

Letters: N images, M metrics of a step, S steps.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from moco import distributed
from moco.config import Config
from moco.data import augmentation
from moco.data.dataset import Dataset, normalisation_statistics
from moco.data.preprocessing import input_size
from moco.data.recipes import choose_recipe
from moco.device import keep_freed_memory, pick_device, pick_precision, to_device
from moco.model.encoder import Encoder
from moco.schedules import lr_factor
from moco.seed import Source, make_generator, seed_layers
from moco.training.optimizers import build_optimizer


class EpochGenerators(NamedTuple):
    """The random generators of one epoch.

    They are functions of seed and epoch, so that an epoch that is repeated draws the same numbers.
    """

    views: torch.Generator
    shuffle: torch.Generator


class TrainingBatch(NamedTuple):
    """This worker's part of a batch, on its device."""

    images_N: Tensor  # indices in the training set
    views: tuple[Tensor, ...]  # `views_per_image` random views (N, C, H, W), normalised


class EpochSummary(NamedTuple):
    """The numbers of one pass over the images."""

    means: list[float]  # of the metrics of `Training.forward`, over steps and workers
    lr: float  # of the last step
    seconds: float
    images_per_second: float  # over all workers, augmentation included


class EpochResult(NamedTuple):
    """The metrics of an epoch, the encoder, and the state from which training continues exactly."""

    metrics: Any  # a NamedTuple of numbers, `epoch` and `loss` among them
    encoder: Encoder
    state: dict[str, Any]  # not a copy: save it before the next epoch


class Training(ABC):
    """Model, optimizer and data of one run, on this worker's device.

    An epoch gives the same result however often training was interrupted before it.

    Raises:
        ValueError: the images do not fill a batch, or the batch does not divide over the workers.
    """

    views_per_image = 1
    # called after each step with the steps done and all of them; on a GPU it runs ahead of these
    on_step: Callable[[int, int], None] | None = None

    def __init__(
        self, config: Config, dataset: Dataset, images: Tensor, model: nn.Module, trained: nn.Module
    ) -> None:
        """Move model and images to the device, and build the optimizer.

        Args:
            config: of the trial.
            dataset: gives the statistics that normalise the views, and their recipe.
            images: uint8 (N, channels, H, W).
            model: everything that a checkpoint contains.
            trained: the part of the model whose parameters the optimizer updates.
        """
        workers = distributed.world_size()
        if len(images) < config.batch_size:
            raise ValueError(
                f"batch_size must not exceed the training split; "
                f"got {config.batch_size} for {len(images)} images"
            )
        if config.batch_size % workers:
            raise ValueError(
                f"batch_size must be a multiple of the workers; "
                f"got {config.batch_size} for {workers}"
            )
        self.config, self.epoch, self.step = config, 0, 0
        self.device = pick_device(config.device)
        keep_freed_memory()
        self.images = images.to(self.device)
        self.recipe = choose_recipe(config, dataset.views)
        mean, std = normalisation_statistics(dataset, config)
        self.mean, self.std = mean.to(self.device), std.to(self.device)
        self.model = model.to(self.device).to(memory_format=torch.channels_last).train()
        self.parameters: list[Tensor] = list(trained.parameters())
        self.precision = pick_precision(config, self.device, input_size(config, images))
        # float16 has no room for small gradients: the loss is scaled up, and a step whose
        # gradients overflow is left out (Micikevicius et al. 2018, section 3.2)
        is_scaled = self.precision == torch.float16
        self.scaler = GradScaler(self.device.type, enabled=is_scaled)
        # where the first step is left out, torch's fused SGD (seen in 2.14 on a CPU) goes on with a
        # momentum buffer that was never written
        self.optimizer = build_optimizer(config, trained, may_fuse=not is_scaled)
        self.steps_per_epoch = len(self.images) // config.batch_size

    @abstractmethod
    def forward(self, batch: TrainingBatch, generators: EpochGenerators) -> tuple[Tensor, Tensor]:
        """The loss of a batch, and the metrics (M,) to average over the epoch, the loss first."""

    @property
    @abstractmethod
    def encoder(self) -> Encoder:
        """The encoder that is trained."""

    @abstractmethod
    def run_epoch(self) -> EpochResult:
        """Train for one epoch."""

    def epochs(self) -> Iterator[EpochResult]:
        """Train for the remaining epochs, one at a time; stop by not asking for the next one."""
        while self.epoch < self.config.epochs:
            yield self.run_epoch()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step = state["epoch"], state["step"]
        if scale := state.get("scaler"):  # none before version 0.3, and where nothing is scaled
            self.scaler.load_state_dict(scale)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epoch depends on; its tensors are not copies.

        The random generators are no part of it, since they follow from seed and epoch.
        """
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "scaler": self.scaler.state_dict(),
        }

    def train_epoch(self) -> EpochSummary:
        """One pass over the images in a new random order."""
        started = time.perf_counter()
        self.epoch += 1
        generators = epoch_generators(self.config.seed, self.epoch)
        seed_layers(self.config.seed, self.epoch, distributed.rank())
        metrics, lr = [], 0.0
        for batch in prefetch(self.batches(generators), self.device):
            lr = self.set_lr()
            metrics.append(self.train_step(batch, generators))
            if self.on_step:
                self.on_step(self.step, self.total_steps)
        distributed.average_batch_norm_statistics(self.model)
        own_means = epoch_means(torch.stack(metrics))
        # the only point of the epoch at which the program waits for the device
        means = distributed.all_gather(own_means[None]).mean(0).tolist()
        seconds = time.perf_counter() - started
        return EpochSummary(
            means=means,
            lr=lr,
            seconds=seconds,
            images_per_second=len(metrics) * self.config.batch_size / seconds,
        )

    def train_step(self, batch: TrainingBatch, generators: EpochGenerators) -> Tensor:
        """One step of the optimizer; returns the metrics of `forward`, without gradient."""
        loss, metrics = self.forward(batch, generators)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        distributed.average_gradients(self.parameters)
        self.scaler.unscale_(self.optimizer)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        return metrics.detach()

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.config.epochs * self.steps_per_epoch

    @property
    def progress(self) -> float:
        """The completed share of the run's steps, in [0, 1]."""
        return self.step / self.total_steps

    def set_lr(self) -> float:
        """Set the learning rate of the next step and return it."""
        warmup_steps = round(self.config.warmup_epochs * self.steps_per_epoch)
        lr = self.config.lr * lr_factor(
            self.config.schedule,
            step=self.step,
            total_steps=self.total_steps,
            warmup_steps=warmup_steps,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def batches(self, generators: EpochGenerators) -> Iterator[TrainingBatch]:
        """The batches of an epoch in random order, the same on all workers.

        The images that remain after the last full batch are left out.
        """
        size = self.config.batch_size
        generator = make_generator(self.config.seed, Source.ORDER, self.epoch)
        order = to_device(torch.randperm(len(self.images), generator=generator), self.device)
        for start in range(0, self.steps_per_epoch * size, size):
            yield self.make_batch(order[start : start + size], generators)

    def make_batch(self, images: Tensor, generators: EpochGenerators) -> TrainingBatch:
        """This worker's part of the batch of these images, given by index.

        Every worker samples the parameters of the whole batch, so that the views do not depend on
        the number of workers.
        """
        height, width = self.images.shape[2:]
        sampled = [
            augmentation.sample_parameters(
                self.recipe,
                len(images),
                height=height,
                width=width,
                generator=generators.views,
            )
            for _ in range(self.views_per_image)
        ]
        parameters = augmentation.ViewParameters(
            *(
                torch.cat([distributed.shard(part) for part in parts])
                for parts in zip(*sampled, strict=True)
            )
        )
        images = distributed.shard(images)
        views = augmentation.apply(
            self.images[images.repeat(self.views_per_image)],
            parameters,
            input_size(self.config, self.images),
            grayscale_first=self.recipe.grayscale_first,
            normalisation=(self.mean, self.std),
        )
        return TrainingBatch(images, views.chunk(self.views_per_image))


def epoch_generators(seed: int, epoch: int) -> EpochGenerators:
    """The random generators of an epoch, counted from 1."""
    return EpochGenerators(
        views=make_generator(seed, Source.VIEWS, epoch),
        shuffle=make_generator(seed, Source.SHUFFLE, epoch),
    )


def prefetch(batches: Iterator[TrainingBatch], device: torch.device) -> Iterator[TrainingBatch]:
    """The same batches; on a GPU, each is made while the previous step runs."""
    if device.type != "cuda":
        yield from batches
        return
    side, main = torch.cuda.Stream(device), torch.cuda.current_stream(device)
    while True:
        with torch.cuda.stream(side):
            batch = next(batches, None)
        if batch is None:
            return
        main.wait_stream(side)
        for tensor in (batch.images_N, *batch.views):
            # otherwise the allocator could reuse the memory while the step still reads it
            tensor.record_stream(main)
        yield batch


def epoch_means(metrics_SM: Tensor) -> Tensor:
    """Means (M,) over the steps.

    NaN is left out, except in the first metric, the loss; the mean of NaN alone is NaN.
    """
    return torch.cat([metrics_SM[:, :1].mean(0), metrics_SM[:, 1:].nanmean(0)])


def gradient_norm(parameters: list[Tensor]) -> Tensor:
    """Euclidean norm of the gradients of the last step."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return torch.stack(torch._foreach_norm(gradients)).norm()
