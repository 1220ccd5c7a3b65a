"""torchvision's ResNets as encoders: any of them by name, at any width, with a stem for small images and MoCo's projection head."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from moco import distributed
from moco.config import Config, layers_of
from moco.model.attention import Attention
from moco.model.batch_norm import SplitBatchNorm2d, SyncBatchNorm2d
from moco.model.convolution import Conv2d
from moco.model.weights import load_backbone
from moco.seed import seed_weights


class Row(NamedTuple):
    """What tells one ResNet of torchvision from another."""

    block: type[BasicBlock] | type[Bottleneck]
    layers: tuple[int, int, int, int]  # blocks a stage
    groups: int = 1
    width_per_group: int = 64


ENCODERS = {
    "resnet18": Row(BasicBlock, (2, 2, 2, 2)),
    "resnet34": Row(BasicBlock, (3, 4, 6, 3)),
    "resnet50": Row(Bottleneck, (3, 4, 6, 3)),
    "resnet101": Row(Bottleneck, (3, 4, 23, 3)),
    "resnet152": Row(Bottleneck, (3, 8, 36, 3)),
    "resnext50_32x4d": Row(Bottleneck, (3, 4, 6, 3), 32, 4),
    "resnext101_32x8d": Row(Bottleneck, (3, 4, 23, 3), 32, 8),
    "resnext101_64x4d": Row(Bottleneck, (3, 4, 23, 3), 64, 4),
    "wide_resnet50_2": Row(Bottleneck, (3, 4, 6, 3), 1, 128),
    "wide_resnet101_2": Row(Bottleneck, (3, 4, 23, 3), 1, 128),
}


class Backbone(ResNet):
    """torchvision's ResNet with its width scaled and without its classifier; at width 1 the parameters keep torchvision's names and shapes."""

    def __init__(
        self,
        row: Row,
        *,
        scale: float,
        channels: int,
        stem: str,
        norm_layer: Callable[[int], nn.Module],
    ) -> None:
        self.scale = scale
        super().__init__(
            row.block,
            list(row.layers),
            groups=row.groups,
            width_per_group=row.width_per_group,
            norm_layer=norm_layer,
        )
        first = self._scaled(64)
        if stem == "small":
            self.conv1 = nn.Conv2d(channels, first, 3, stride=1, padding=1, bias=False)
            self.maxpool = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(channels, first, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1 = self._norm_layer(first)
        self.feature_size: int = self.inplanes
        self.fc = nn.Identity()
        for module in self.modules():
            if (
                type(module) is nn.Conv2d
            ):  # torchvision's blocks name it themselves; ours has the same state
                module.__class__ = Conv2d

    def _scaled(self, planes: int) -> int:
        return max(1, round(planes * self.scale))

    def _make_layer(
        self, block: Any, planes: int, blocks: int, stride: int = 1, dilate: bool = False
    ) -> nn.Sequential:
        if planes == 64:
            self.inplanes = self._scaled(64)  # torchvision starts from 64 whatever the width
        return super()._make_layer(block, self._scaled(planes), blocks, stride, dilate)


class Encoder(nn.Module):
    """Backbone and projection head: images (N, channels, H, W) to projections (N, C), not normalised.

    Raises:
        ValueError: the encoder is no ResNet of torchvision, or cannot be scaled to the width.
    """

    def __init__(self, config: Config, channels: int, splits: int = 1) -> None:
        """`splits`: groups of a worker's batch that batch norm treats apart; outside training they make no difference."""
        super().__init__()
        if config.encoder not in ENCODERS:
            raise ValueError(
                f"encoder must be one of {', '.join(ENCODERS)}; got {config.encoder!r}"
            )
        row = ENCODERS[config.encoder]
        if int(round(64 * config.width) * row.width_per_group / 64) < 1:
            raise ValueError(
                f"width {config.width:g} leaves {config.encoder} no channels; its least is {64 / row.width_per_group / 64:g}"
            )
        norm_layer = (
            SyncBatchNorm2d
            if config.batch_norm == "sync"
            else partial(SplitBatchNorm2d, splits=splits)
        )
        self.backbone = Backbone(
            row, scale=config.width, channels=channels, stem=config.stem, norm_layer=norm_layer
        )
        size, blocks = self.backbone.feature_size, 1
        self.attention: nn.Module = nn.Identity()
        if layers := layers_of(config.attention):
            self.attention = Attention(
                self.backbone,
                layers,
                config.attention_score,
                joins=config.attention_output == "join",
            )
            blocks = self.attention.blocks
        self.feature_size = size * blocks
        if blocks > 1 and config.attention_heads == "independent":
            self.head: nn.Module = Independent(
                [projection_head(config, size) for _ in range(blocks)]
            )
        else:
            self.head = projection_head(config, self.feature_size)

    def features(self, images: Tensor) -> Tensor:
        """Features (N, feature_size): the backbone's, or what attention makes of its maps."""
        return self.attention(self.backbone(images))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


class Independent(nn.Module):
    """Projection heads for vectors that lie side by side; their outputs are averaged (Jetley et al. 2018, section 3.2: of classifiers)."""

    def __init__(self, heads: list[nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, features: Tensor) -> Tensor:
        parts = features.chunk(len(self.heads), 1)
        return torch.stack([head(part) for head, part in zip(self.heads, parts, strict=True)]).mean(
            0
        )


def projection_head(config: Config, size: int) -> nn.Module:
    """MoCo v1's or v2's head on `size` features."""
    last = nn.Linear(size, config.projection_size)
    return nn.Sequential(nn.Linear(size, size), nn.ReLU(), last) if config.head == "mlp" else last


def build_encoder(config: Config, channels: int) -> Encoder:
    """The encoder that a trial begins with: random weights by its seed, and the backbone's from the config's file where it names one.

    Raises:
        ValueError: the groups of batch norm do not divide over the workers, or the file does not fit.
    """
    if config.splits > 1 and config.splits % distributed.count():
        raise ValueError(
            f"batch_norm_splits must be a multiple of the workers; got {config.splits} for {distributed.count()}"
        )
    seed_weights(config.seed)
    encoder = Encoder(config, channels, splits=max(1, config.splits // distributed.count()))
    if config.weights:
        load_backbone(encoder.backbone, Path(config.weights), config.weights_sha256)
    return encoder
