"""Our sides: the step as the program runs it, the bare work of its encoders, and views alone."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.side import Round
from moco.config import Config
from moco.data.dataset import Dataset, Split
from moco.device import autocast
from moco.model.convolution import SmallMapConv2d
from moco.model.encoder import Encoder
from moco.seed import Source, make_generator
from moco.training.contrastive import Pretraining
from moco.training.loop import EpochGenerators


def made_up(images: int, size: int, classes: int = 10) -> Dataset:
    """A dataset of noise; what an image shows costs nothing."""
    draws = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (images, 3, size, size), dtype=torch.uint8, generator=draws)
    split = Split(pixels, torch.arange(images) % classes)
    names = tuple(str(i) for i in range(classes))
    return Dataset(
        name="noise", title="noise", bundled=True, views="moco_v2", classes=names, train=split,
        test=split, extra=None, extra_name="",
        mean=(0.5,) * 3, std=(0.25,) * 3, modes={}, sizes={}, fingerprint="",
    )  # fmt: skip


def pretraining(settings: dict[str, Any]) -> Pretraining:
    """A run over `images` images of `size` pixels that never ends; the other settings are fields of
    a Config.
    """
    images, size = settings["images"], settings["size"]
    fields = {name: value for name, value in settings.items() if name not in ("images", "size")}
    config = Config.of(
        {"dataset": "noise", "image_size": size, "epochs": 100_000, "views": "moco_v2", **fields}
    )
    dataset = made_up(images, size)
    return Pretraining(config, dataset, dataset.train.images)


def step(settings: dict[str, Any]) -> Round:
    """An epoch of pretraining: views, steps, and the mean of its numbers."""
    run = pretraining(settings)
    return lambda: finish(run.train_epoch)


def encoders(settings: dict[str, Any]) -> Round:
    """The work that no MoCo can leave out, as many steps as an epoch has: query forward and
    backward, key forward, on ready views.

    The batch is one group of batch norm; dtype and layout are the program's.
    """
    return bare(pretraining({**settings, "batch_norm": "plain"}))


def floor(settings: dict[str, Any]) -> Round:
    """The same with torch's own layers throughout: torchvision's ResNet as it is."""
    run = pretraining({**settings, "batch_norm": "plain"})
    for module in run.moco.query_encoder.modules():
        if isinstance(module, SmallMapConv2d):
            module.__class__ = nn.Conv2d  # type: ignore[assignment]
    return bare(run)


def bare(run: Pretraining) -> Round:
    """The passes of a run's query encoder, and of a copy of it in the place of the key encoder."""
    query: Encoder = run.moco.query_encoder
    key = copy.deepcopy(query).requires_grad_(False)
    views = run.make_batch(torch.arange(run.config.batch_size, device=run.device), chance(0)).views

    def steps() -> None:
        for _ in range(run.steps_per_epoch):
            query.zero_grad(set_to_none=True)
            with autocast(run.device, run.moco.precision):
                projections_NC = query(views[0])
                with torch.no_grad():
                    key(views[1])
            projections_NC.backward(torch.ones_like(projections_NC))

    return lambda: finish(steps)


def views(settings: dict[str, Any]) -> Round:
    """The views of an epoch, two an image."""
    run = pretraining(settings)

    def epoch() -> None:
        for _ in run.batches(chance(1)):
            pass

    return lambda: finish(epoch)


def chance(epoch: int) -> EpochGenerators:
    """The generators of an epoch."""
    return EpochGenerators(
        *(make_generator(0, source, epoch) for source in (Source.VIEWS, Source.SHUFFLE))
    )


def finish(work: Callable[[], object]) -> None:
    """Does the work, what is queued on a GPU included."""
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()


SIDES = {"step": step, "encoders": encoders, "floor": floor, "views": views}
