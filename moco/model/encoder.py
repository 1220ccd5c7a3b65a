"""Encoders: torchvision's ResNets at any width with a stem for small images, and MoCo's head."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from moco import distributed
from moco.config import Config, attended_layers
from moco.model.attention import Attention
from moco.model.batch_norm import SplitBatchNorm2d, SyncBatchNorm2d
from moco.model.convolution import SmallMapConv2d
from moco.model.own_encoder import build_further, is_further
from moco.model.weights import load_backbone
from moco.seed import seed_weights


class EncoderSpec(NamedTuple):
    """The arguments that define one ResNet of torchvision."""

    block: type[BasicBlock] | type[Bottleneck]
    layers: tuple[int, int, int, int]  # blocks of each stage
    groups: int = 1
    width_per_group: int = 64


ENCODERS = {
    "resnet10": EncoderSpec(BasicBlock, (1, 1, 1, 1)),  # not torchvision's: for tiny images
    "resnet18": EncoderSpec(BasicBlock, (2, 2, 2, 2)),
    "resnet34": EncoderSpec(BasicBlock, (3, 4, 6, 3)),
    "resnet50": EncoderSpec(Bottleneck, (3, 4, 6, 3)),
    "resnet101": EncoderSpec(Bottleneck, (3, 4, 23, 3)),
    "resnet152": EncoderSpec(Bottleneck, (3, 8, 36, 3)),
    "resnext50_32x4d": EncoderSpec(Bottleneck, (3, 4, 6, 3), groups=32, width_per_group=4),
    "resnext101_32x8d": EncoderSpec(Bottleneck, (3, 4, 23, 3), groups=32, width_per_group=8),
    "resnext101_64x4d": EncoderSpec(Bottleneck, (3, 4, 23, 3), groups=64, width_per_group=4),
    "wide_resnet50_2": EncoderSpec(Bottleneck, (3, 4, 6, 3), width_per_group=128),
    "wide_resnet101_2": EncoderSpec(Bottleneck, (3, 4, 23, 3), width_per_group=128),
}


class Backbone(ResNet):
    """torchvision's ResNet without its classifier, with `width` times its channels.

    At width 1 the parameters have torchvision's names and shapes.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        *,
        width: float,
        channels: int,
        stem: str,
        norm_layer: Callable[[int], nn.Module],
    ) -> None:
        self.width = width
        super().__init__(
            spec.block,
            list(spec.layers),
            groups=spec.groups,
            width_per_group=spec.width_per_group,
            norm_layer=norm_layer,
        )
        planes = self._scale(64)
        if stem == "small":
            self.conv1 = nn.Conv2d(channels, planes, 3, stride=1, padding=1, bias=False)
            self.maxpool = nn.Identity()
        elif stem == "strided":
            self.conv1 = nn.Conv2d(channels, planes, 3, stride=2, padding=1, bias=False)
            self.maxpool = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(channels, planes, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1 = self._norm_layer(planes)
        self.feature_size: int = self.inplanes
        self.fc = nn.Identity()
        for module in self.modules():
            # torchvision's blocks construct nn.Conv2d by name; the subclass has the same state
            if type(module) is nn.Conv2d:
                module.__class__ = SmallMapConv2d

    def _scale(self, planes: int) -> int:
        return max(1, round(planes * self.width))

    def _make_layer(
        self, block: Any, planes: int, blocks: int, stride: int = 1, dilate: bool = False
    ) -> nn.Sequential:
        if planes == 64:
            self.inplanes = self._scale(64)  # torchvision starts from 64 at any width
        return super()._make_layer(block, self._scale(planes), blocks, stride=stride, dilate=dilate)


class Encoder(nn.Module):
    """Backbone and projection head: images (N, channels, H, W) to projections (N, C).

    The projections are not normalised.

    Raises:
        ValueError: the encoder is not in ENCODERS, or has no channels at that width.
    """

    def __init__(self, config: Config, channels: int, splits: int = 1) -> None:
        """`splits`: number of batch-norm groups of a worker's batch; no effect in evaluation."""
        super().__init__()
        norm_layer = (
            SyncBatchNorm2d
            if config.batch_norm == "sync"
            else partial(SplitBatchNorm2d, splits=splits)
        )
        self.backbone, size = build_backbone(config, channels, norm_layer)
        vectors = 1
        self.attention: nn.Module = nn.Identity()
        if layers := attended_layers(config.attention):
            assert isinstance(self.backbone, ResNet)  # Config's rules leave no other
            self.attention = Attention(
                self.backbone,
                layers,
                config.attention_score,
                keeps_global=config.attention_output == "join",
            )
            vectors = self.attention.vector_count
        self.feature_size = size * vectors
        if vectors > 1 and config.attention_heads == "independent":
            heads = [projection_head(config, size) for _ in range(vectors)]
            self.head: nn.Module = IndependentHeads(heads)
        else:
            self.head = projection_head(config, self.feature_size)

    def features(self, images: Tensor) -> Tensor:
        """Features (N, feature_size) of the backbone, or of the attention over its maps."""
        return self.attention(self.backbone(images))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


def build_backbone(
    config: Config, channels: int, norm_layer: Callable[[int], nn.Module]
) -> tuple[nn.Module, int]:
    """The config's encoder without a head, and the number of its features.

    Raises:
        ValueError: there is none of that name, or it has no channels at that width.
    """
    if is_further(config.encoder):
        return build_further(config.encoder, channels, norm_layer)
    if config.encoder not in ENCODERS:
        raise ValueError(
            f"encoder must be one of {', '.join(ENCODERS)}, timm:NAME, or module:function of one "
            f"of your own; got {config.encoder!r}"
        )
    spec = ENCODERS[config.encoder]
    if int(round(64 * config.width) * spec.width_per_group / 64) < 1:
        raise ValueError(
            f"width {config.width:g} leaves {config.encoder} no channels; "
            f"its least is {64 / spec.width_per_group / 64:g}"
        )
    backbone = Backbone(
        spec, width=config.width, channels=channels, stem=config.stem, norm_layer=norm_layer
    )
    return backbone, backbone.feature_size


class IndependentHeads(nn.Module):
    """One projection head for each of several concatenated vectors; their outputs are averaged.

    Source: Jetley et al. 2018, section 3.2, there for classifiers.
    """

    def __init__(self, heads: list[nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, features: Tensor) -> Tensor:
        parts = zip(self.heads, features.chunk(len(self.heads), 1), strict=True)
        return torch.stack([head(part) for head, part in parts]).mean(0)


class Pixels(nn.Module):
    """In the place of an encoder: the normalised pixels themselves, (N, channels x H x W)."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.feature_size = channels * size**2
        self.backbone, self.attention, self.head = nn.Flatten(), nn.Identity(), nn.Identity()
        self.register_buffer("marker", torch.zeros(0), persistent=False)  # has the device

    def features(self, images: Tensor) -> Tensor:
        """The pixels of each image in a row."""
        return self.backbone(images)


def projection_head(config: Config, size: int) -> nn.Module:
    """The head on `size` features: one linear layer (MoCo v1), or an MLP (MoCo v2)."""
    last = nn.Linear(size, config.projection_size)
    return nn.Sequential(nn.Linear(size, size), nn.ReLU(), last) if config.head == "mlp" else last


def build_encoder(config: Config, channels: int) -> Encoder:
    """The encoder at the start of a trial: random weights by `seed`, or a file's in its backbone.

    Raises:
        ValueError: the batch-norm groups do not divide over the workers, or the weights do not fit.
    """
    workers = distributed.world_size()
    if config.splits > 1 and config.splits % workers:
        raise ValueError(
            f"batch_norm_splits must be a multiple of the workers; "
            f"got {config.splits} for {workers}"
        )
    seed_weights(config.seed)
    encoder = Encoder(config, channels, splits=max(1, config.splits // workers))
    if config.weights:
        load_backbone(encoder.backbone, Path(config.weights), config.weights_sha256)
    return encoder
