"""What a user would pick instead, as its documentation or its authors have it. Runs in an
environment of its own; knows nothing of ours.

lightly: its documented MoCo v2 example with its own transform and DataLoader, one worker a core.
fair: a loop in the manner of facebookresearch/moco: PIL transforms, DataLoader, float32, the queue
a buffer of C x K.
"""

import copy
import os
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from PIL import Image, ImageFilter
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks.side import Round

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Step = Callable[[Tensor, Tensor], None]


class InMemory(torch.utils.data.Dataset[Any]):
    """Images of noise held as an array, handed out as torchvision's CIFAR-10 does: a PIL image
    through the transform.
    """

    def __init__(self, images: int, size: int, transform: Callable[[Image.Image], Any]) -> None:
        draws = torch.Generator().manual_seed(0)
        self.pixels = torch.randint(
            0, 256, (images, size, size, 3), dtype=torch.uint8, generator=draws
        ).numpy()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.pixels[index])), index


def cores() -> int:
    """The cores that this process may use: so many loading workers."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def loader(settings: dict[str, Any], transform: Callable[[Image.Image], Any]) -> Iterable[Any]:
    """A DataLoader whose workers stay alive between epochs, so that their start is in no round."""
    dataset = InMemory(settings["images"], settings["size"], transform)
    return DataLoader(
        dataset,
        settings["batch_size"],
        shuffle=True,
        drop_last=True,
        num_workers=cores(),
        persistent_workers=True,
        pin_memory=DEVICE.type == "cuda",
    )


def epochs_of(batches: Iterable[Any], step: Step) -> Round:
    """A round: one epoch."""

    def epoch() -> None:
        for (query_view, key_view), _ in batches:
            step(query_view.to(DEVICE, non_blocking=True), key_view.to(DEVICE, non_blocking=True))
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()

    return epoch


def resnet18(stem: str) -> nn.Module:
    """torchvision's ResNet-18; with the stem for small images as FAIR's CIFAR-10 demo and lightly's
    benchmarks change it.
    """
    model = torchvision.models.resnet18()
    if stem == "small":
        model.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
        model.maxpool = nn.Identity()
    return model


def lightly(settings: dict[str, Any]) -> Round:
    """lightly's example of MoCo v2."""
    from lightly.loss import NTXentLoss
    from lightly.models.modules import MoCoProjectionHead
    from lightly.models.utils import deactivate_requires_grad, update_momentum
    from lightly.transforms.moco_transform import MoCoV2Transform

    backbone = nn.Sequential(*list(resnet18(settings["stem"]).children())[:-1]).to(DEVICE)
    head = MoCoProjectionHead(512, 512, 128).to(DEVICE)
    key_backbone, key_head = copy.deepcopy(backbone), copy.deepcopy(head)
    deactivate_requires_grad(key_backbone)
    deactivate_requires_grad(key_head)
    criterion = NTXentLoss(memory_bank_size=(settings["queue_size"], 128)).to(DEVICE)
    optimizer = torch.optim.SGD([*backbone.parameters(), *head.parameters()], lr=0.06)

    def step(query_view: Tensor, key_view: Tensor) -> None:
        update_momentum(backbone, key_backbone, m=0.996)
        update_momentum(head, key_head, m=0.996)
        query = head(backbone(query_view).flatten(start_dim=1))
        with torch.no_grad():
            key = key_head(key_backbone(key_view).flatten(start_dim=1))
        loss = criterion(query, key)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return epochs_of(loader(settings, MoCoV2Transform(input_size=settings["size"])), step)


class Blur:
    """MoCo v2's blur on a PIL image."""

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.filter(ImageFilter.GaussianBlur(float(torch.empty(1).uniform_(0.1, 2.0))))


class TwoCrops:
    """A query view and a key view of an image."""

    def __init__(self, transform: Callable[[Image.Image], Tensor]) -> None:
        self.transform = transform

    def __call__(self, image: Image.Image) -> list[Tensor]:
        return [self.transform(image), self.transform(image)]


def moco_v2_views(size: int) -> Callable[[Image.Image], Tensor]:
    """MoCo v2's transforms, one PIL image after the other."""
    jitter = transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(size, scale=(0.2, 1.0)),
            transforms.RandomApply([jitter], p=0.8),
            transforms.RandomGrayscale(p=0.2),
            transforms.RandomApply([Blur()], p=0.5),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.25] * 3),
        ]
    )


class PlainMoCo(nn.Module):
    """MoCo v2 on one device."""

    queue: Tensor
    pointer: Tensor

    def __init__(
        self, stem: str, queue_size: int, m: float = 0.999, temperature: float = 0.2
    ) -> None:
        super().__init__()
        self.m, self.temperature = m, temperature
        self.query, self.key = resnet18(stem), resnet18(stem)
        for encoder in (self.query, self.key):
            encoder.fc = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 128))
        self.key.load_state_dict(self.query.state_dict())
        for parameter in self.key.parameters():
            parameter.requires_grad = False
        self.register_buffer("queue", F.normalize(torch.randn(128, queue_size), dim=0))
        self.register_buffer("pointer", torch.zeros(1, dtype=torch.long))

    def forward(self, query_view: Tensor, key_view: Tensor) -> Tensor:
        q = F.normalize(self.query(query_view), dim=1)
        with torch.no_grad():
            for of_query, of_key in zip(
                self.query.parameters(), self.key.parameters(), strict=True
            ):
                of_key.data = of_key.data * self.m + of_query.data * (1.0 - self.m)
            k = F.normalize(self.key(key_view), dim=1)
        positive = torch.einsum("nc,nc->n", q, k).unsqueeze(-1)
        negative = torch.einsum("nc,ck->nk", q, self.queue.clone().detach())
        logits = torch.cat([positive, negative], dim=1) / self.temperature
        at = int(self.pointer)
        self.queue[:, at : at + len(k)] = k.T
        self.pointer[0] = (at + len(k)) % self.queue.shape[1]
        return F.cross_entropy(
            logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        )


def fair(settings: dict[str, Any]) -> Round:
    """The plain loop."""
    model = PlainMoCo(settings["stem"], settings["queue_size"]).to(DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4)

    def step(query_view: Tensor, key_view: Tensor) -> None:
        loss = model(query_view, key_view)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return epochs_of(loader(settings, TwoCrops(moco_v2_views(settings["size"]))), step)


def pil_views(settings: dict[str, Any]) -> Round:
    """Two views of every image in this process: what one core makes."""
    dataset = InMemory(
        settings["images"], settings["size"], TwoCrops(moco_v2_views(settings["size"]))
    )

    def epoch() -> None:
        for i in range(len(dataset)):
            dataset[i]

    return epoch


SIDES = {"lightly": lightly, "fair": fair, "pil_views": pil_views}
