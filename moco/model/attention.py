"""Attention over a ResNet's intermediate maps (Jetley et al. 2018, "Learn to pay attention").

Hooks take the maps of the chosen stages out of any torchvision ResNet while it runs; its code stays torchvision's.

Letters: N images, D features of the global vector g (the pooled last map), C channels of a map, P = H x W positions.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import ResNet

from moco.device import in_full


def dot(local_NDP: Tensor, global_ND: Tensor, u_D: Tensor) -> Tensor:
    """Compatibility <l, g> of each position (equation 3)."""
    return torch.einsum("ndp,nd->np", local_NDP, global_ND)


def parametrised(local_NDP: Tensor, global_ND: Tensor, u_D: Tensor) -> Tensor:
    """Compatibility <u, l + g> of each position (equation 2). The softmax over positions cancels <u, g>: what remains does not look at g."""
    return torch.einsum("ndp,d->np", local_NDP + global_ND[:, :, None], u_D)


def uniform(local_NDP: Tensor, global_ND: Tensor, u_D: Tensor) -> Tensor:
    """Every position alike: the control, with the parameters of `dot` and no attention."""
    return torch.zeros_like(local_NDP[:, 0])


SCORES = {"dot": dot, "parametrised": parametrised, "uniform": uniform}


class Tap:
    """A forward hook that holds a module's output until it is taken; copies of a model get taps of their own."""

    def __init__(self) -> None:
        self.held: Tensor | None = None

    def __call__(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self.held = output

    def take(self) -> Tensor:
        """The output, once."""
        held, self.held = self.held, None
        assert held is not None, "the ResNet must run before its maps are taken"
        return held


class Attended(NamedTuple):
    """What one stage's map gives."""

    weight_NHW: Tensor  # of each position; they sum to 1, at least float32
    local_NDP: Tensor  # the map's vectors, brought to the size of the global one
    sum_ND: Tensor  # their weighted sum


class Attention(nn.Module):
    """The weighted sums over the maps of some stages of a ResNet, in place of its global vector or beside it.

    A map of fewer channels than the global vector is brought to D by a 1x1 convolution (section 3.1). Deviation from the paper: the
    global vector is the pooled last map, since a ResNet has no further layer before its classifier.

    Raises:
        ValueError: a stage or a score has an unknown name.
    """

    def __init__(
        self, resnet: ResNet, layers: tuple[str, ...], score: str, joins: bool = False
    ) -> None:
        """`resnet`: any of torchvision's, its fc an Identity. `joins`: the global vector stays, in front of the sums."""
        super().__init__()
        if score not in SCORES:
            raise ValueError(f"attention_score must be one of {', '.join(SCORES)}; got {score!r}")
        self.layers, self.score, self.joins = layers, score, joins
        self.global_size = channels_of(resnet.layer4)
        self.projections = nn.ModuleList()
        self.taps = [Tap() for _ in layers]
        for name, tap in zip(layers, self.taps, strict=True):
            stage = getattr(resnet, name)
            stage.register_forward_hook(tap)
            channels = channels_of(stage)
            self.projections.append(
                nn.Identity()
                if channels == self.global_size
                else nn.Conv2d(channels, self.global_size, 1, bias=False)
            )
        learned = score == "parametrised"
        self.u_SD = (
            nn.Parameter(
                torch.empty(len(layers), self.global_size).uniform_(-1, 1) / self.global_size**0.5
            )
            if learned
            else None
        )

    @property
    def blocks(self) -> int:
        """Vectors of D features side by side in the output."""
        return len(self.layers) + self.joins

    def forward(self, global_ND: Tensor) -> Tensor:
        """Features (N, blocks x D), after the ResNet has given `global_ND` of the same images."""
        return self.side_by_side(global_ND, self.attend(global_ND))

    def side_by_side(self, global_ND: Tensor, attended: list[Attended]) -> Tensor:
        """The sums of the stages, the global vector in front of them where it stays."""
        sums = [part.sum_ND for part in attended]
        return torch.cat([global_ND, *sums] if self.joins else sums, 1)

    def attend(self, global_ND: Tensor) -> list[Attended]:
        """Weights, vectors and weighted sum of each stage."""
        found = []
        for i, (tap, projection) in enumerate(zip(self.taps, self.projections, strict=True)):
            map_NDHW = projection(tap.take())
            local_NDP = map_NDHW.flatten(2)
            u_D = global_ND[0] if self.u_SD is None else self.u_SD[i]
            weight_NP = F.softmax(in_full(SCORES[self.score](local_NDP, global_ND, u_D)), dim=1)
            sum_ND = torch.einsum("ndp,np->nd", local_NDP, weight_NP.to(local_NDP.dtype))
            found.append(
                Attended(weight_NP.view(len(weight_NP), *map_NDHW.shape[2:]), local_NDP, sum_ND)
            )
        return found


def channels_of(stage: nn.Module) -> int:
    """Channels of the map that a ResNet's stage gives."""
    block: Any = list(stage.children())[-1]
    return int((block.bn3 if hasattr(block, "bn3") else block.bn2).num_features)


def heat_map(weight_NHW: Tensor, height: int, width: int) -> Tensor:
    """The weights over the image, (N, height, width) with sum 1: bilinear between the positions."""
    over = F.interpolate(
        weight_NHW[:, None].float(), (height, width), mode="bilinear", align_corners=False
    )[:, 0]
    return over / over.sum((1, 2), keepdim=True)
