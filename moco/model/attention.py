"""Attention over the intermediate maps of a ResNet (Jetley et al. 2018, "Learn to pay attention").

Forward hooks read the maps of the chosen stages, so any torchvision ResNet serves unchanged.

Letters: N images, D features of the global vector g (the pooled last map), C channels of a map,
P = H x W positions, S stages.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import ResNet

from moco.device import at_least_float32


def dot_score(local_NDP: Tensor, global_ND: Tensor, u_D: Tensor) -> Tensor:
    """Compatibility <l, g> of each position (equation 3)."""
    return torch.einsum("ndp,nd->np", local_NDP, global_ND)


def parametrised_score(local_NDP: Tensor, global_ND: Tensor, u_D: Tensor) -> Tensor:
    """Compatibility <u, l + g> of each position (equation 2).

    The softmax over the positions cancels <u, g>, so the weights do not depend on g.
    """
    return torch.einsum("ndp,d->np", local_NDP + global_ND[:, :, None], u_D)


def uniform_score(local_NDP: Tensor, global_ND: Tensor, u_D: Tensor) -> Tensor:
    """0 for every position: a control with the parameters of the dot score but no attention."""
    return torch.zeros_like(local_NDP[:, 0])


SCORES = {"dot": dot_score, "parametrised": parametrised_score, "uniform": uniform_score}


class OutputHook:
    """A forward hook that stores a module's output; a copied model gets hooks of its own."""

    def __init__(self) -> None:
        self.output: Tensor | None = None

    def __call__(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self.output = output

    def pop(self) -> Tensor:
        """Return the stored output and forget it."""
        output, self.output = self.output, None
        assert output is not None, "the ResNet must run before its maps are read"
        return output


class StageAttention(NamedTuple):
    """The attention over the map of one stage."""

    weight_NHW: Tensor  # of each position; their sum is 1; at least float32
    local_NDP: Tensor  # the map's vectors, projected to the size of the global vector
    sum_ND: Tensor  # their weighted sum


class Attention(nn.Module):
    """Weighted sums over the maps of some stages of a ResNet, as its features.

    A map with fewer channels than the global vector is projected to D by a 1x1 convolution
    (section 3.1). Deviation from the paper: the global vector is the pooled last map, since a
    ResNet has no further layer before its classifier.

    Raises:
        ValueError: the score has an unknown name.
    """

    def __init__(
        self, resnet: ResNet, layers: tuple[str, ...], score: str, keeps_global: bool = False
    ) -> None:
        """Hook into the stages of a ResNet.

        Args:
            resnet: any of torchvision's, with an Identity in the place of `fc`.
            layers: names of the stages, as "layer3".
            score: a name of SCORES.
            keeps_global: the features begin with the global vector.
        """
        super().__init__()
        if score not in SCORES:
            raise ValueError(f"attention_score must be one of {', '.join(SCORES)}; got {score!r}")
        self.layers, self.score, self.keeps_global = layers, score, keeps_global
        size = self.global_size = output_channels(resnet.layer4)
        self.projections = nn.ModuleList()
        self.hooks = [OutputHook() for _ in layers]
        for name, hook in zip(layers, self.hooks, strict=True):
            stage = getattr(resnet, name)
            stage.register_forward_hook(hook)
            channels = output_channels(stage)
            self.projections.append(
                nn.Identity() if channels == size else nn.Conv2d(channels, size, 1, bias=False)
            )
        self.u_SD: nn.Parameter | None = None
        if score == "parametrised":
            self.u_SD = nn.Parameter(torch.empty(len(layers), size).uniform_(-1, 1) / size**0.5)

    @property
    def vector_count(self) -> int:
        """Number of vectors of D features that the output concatenates."""
        return len(self.layers) + self.keeps_global

    def forward(self, global_ND: Tensor) -> Tensor:
        """Features (N, vector_count x D).

        The ResNet must just have computed `global_ND` from the same images.
        """
        return self.concatenate(global_ND, self.attend(global_ND))

    def concatenate(self, global_ND: Tensor, stages: list[StageAttention]) -> Tensor:
        """The weighted sums of the stages, after the global vector where it is kept."""
        sums = [stage.sum_ND for stage in stages]
        return torch.cat([global_ND, *sums] if self.keeps_global else sums, 1)

    def attend(self, global_ND: Tensor) -> list[StageAttention]:
        """Weights, vectors and weighted sum of each stage."""
        stages = []
        for i, (hook, projection) in enumerate(zip(self.hooks, self.projections, strict=True)):
            map_NDHW = projection(hook.pop())
            local_NDP = map_NDHW.flatten(2)
            u_D = global_ND[0] if self.u_SD is None else self.u_SD[i]
            score_NP = at_least_float32(SCORES[self.score](local_NDP, global_ND, u_D))
            weight_NP = F.softmax(score_NP, dim=1)
            stages.append(
                StageAttention(
                    weight_NHW=weight_NP.view(len(weight_NP), *map_NDHW.shape[2:]),
                    local_NDP=local_NDP,
                    sum_ND=torch.einsum("ndp,np->nd", local_NDP, weight_NP.to(local_NDP.dtype)),
                )
            )
        return stages


def output_channels(stage: nn.Module) -> int:
    """Channels of the map that a stage of a ResNet returns."""
    block: Any = list(stage.children())[-1]
    return int((block.bn3 if hasattr(block, "bn3") else block.bn2).num_features)


def heat_map(weight_NHW: Tensor, height: int, width: int) -> Tensor:
    """The weights, resized to (N, height, width) by bilinear interpolation; their sum is 1."""
    resized = F.interpolate(
        weight_NHW[:, None].float(), (height, width), mode="bilinear", align_corners=False
    )[:, 0]
    return resized / resized.sum((1, 2), keepdim=True)
