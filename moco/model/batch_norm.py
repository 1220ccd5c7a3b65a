"""Batch norm over groups of a batch or over all workers (He et al. 2020, section 3.3).

MoCo normalises the batch on each of 8 devices separately and shuffles the keys between the devices.
Otherwise a query and its key are normalised together, and their common batch statistics reveal
that they belong together. On one device, groups of the batch stand in for MoCo's devices: each
group is contiguous and normalised by its own statistics.

Letters: N images, C channels, H x W pixels of a map, G groups.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from moco import distributed
from moco.device import at_least_float32

RunningStatistics = tuple[Tensor, Tensor, float]  # mean (C,), variance (C,), momentum


class SplitBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d that normalises a training batch of N images in `splits` groups of N / splits.

    The running statistics follow the mean of the groups' means and the mean of their variances, as
    in FAIR's CIFAR-10 demo: the differences between the groups' means do not enter the variance.
    State and evaluation are those of BatchNorm2d.

    Raises:
        ValueError: a training batch does not divide into the groups.
    """

    def __init__(self, channels: int, splits: int) -> None:
        super().__init__(channels)
        self.splits = splits

    def forward(self, x_NCHW: Tensor) -> Tensor:
        if not self.training or self.splits == 1:
            return super().forward(x_NCHW)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        if len(x_NCHW) % self.splits:
            raise ValueError(
                f"a batch must split into {self.splits} equal groups; got {len(x_NCHW)} images"
            )
        self.num_batches_tracked += 1
        running = (self.running_mean, self.running_var, self.momentum)
        normalise = normalise_groups if torch.compiler.is_compiling() else GroupedBatchNorm.apply
        return normalise(x_NCHW, self.weight, self.bias, self.splits, self.eps, running)


def normalise_groups(
    x_NCHW: Tensor,
    weight_C: Tensor,
    bias_C: Tensor,
    groups: int,
    eps: float,
    running: RunningStatistics,
) -> Tensor:
    """The same as GroupedBatchNorm, by operations that torch.compile supports."""
    mean_C, variance_C, momentum = running
    parts = zip(x_NCHW.chunk(groups), group_momenta(groups, momentum), strict=True)
    normalised = [
        F.batch_norm(
            x,
            mean_C,
            variance_C,
            weight=weight_C,
            bias=bias_C,
            training=True,
            momentum=group_momentum,
            eps=eps,
        )
        for x, group_momentum in parts
    ]
    return torch.cat(normalised)


def group_momenta(groups: int, momentum: float) -> list[float]:
    """The momenta by which G groups, one after the other, move the running statistics.

    Group k of 1 .. G has momentum (m / G) / (1 - m + m k / G). In the end the statistics of each
    group have the weight m / G, and the previous running statistics 1 - m.
    """
    return [
        momentum / groups / (1 - momentum + momentum * k / groups) for k in range(1, groups + 1)
    ]


class GroupedBatchNorm(torch.autograd.Function):
    """Batch norm of equal groups, each by its own statistics, written into one result.

    The running mean and variance move towards the means of the groups' statistics.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x_NCHW: Tensor,
        weight_C: Tensor,
        bias_C: Tensor,
        groups: int,
        eps: float,
        running: RunningStatistics,
    ) -> Tensor:
        result = torch.empty_like(x_NCHW)
        mean_GC = weight_C.new_empty(groups, len(weight_C))
        inverse_std_GC = weight_C.new_empty(groups, len(weight_C))
        mean_C, variance_C, momentum = running
        parts = zip(
            x_NCHW.chunk(groups),
            result.chunk(groups),
            mean_GC,
            inverse_std_GC,
            group_momenta(groups, momentum),
            strict=True,
        )
        for x, y, mean, inverse_std, group_momentum in parts:
            batch_norm_into(
                x,
                weight_C,
                bias_C,
                mean_C,
                variance_C,
                True,
                group_momentum,
                eps,
                out=y,
                save_mean=mean,
                save_invstd=inverse_std,
            )
        ctx.save_for_backward(x_NCHW, weight_C, mean_GC, inverse_std_GC)
        ctx.eps = eps
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x_NCHW, weight_C, mean_GC, inverse_std_GC = ctx.saved_tensors
        groups = len(mean_GC)
        parts = zip(
            gradients[0].chunk(groups),
            x_NCHW.chunk(groups),
            mean_GC,
            inverse_std_GC,
            strict=True,
        )
        gradients_by_group = [
            torch.ops.aten.native_batch_norm_backward(
                gradient,
                x,
                weight_C,
                None,
                None,
                mean,
                inverse_std,
                True,
                ctx.eps,
                [True, True, True],
            )
            for gradient, x, mean, inverse_std in parts
        ]
        of_x, of_weight, of_bias = zip(*gradients_by_group, strict=True)
        x_gradient = torch.cat(of_x)
        weight_gradient, bias_gradient = torch.stack(of_weight).sum(0), torch.stack(of_bias).sum(0)
        return x_gradient, weight_gradient, bias_gradient, None, None, None


batch_norm_into = torch.ops.aten.native_batch_norm.out  # also updates the running statistics


class SyncBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d over the training batch of all workers; torch's own exists on GPUs only.

    The workers' parts of a batch must be equally large. With one worker it is BatchNorm2d.
    """

    def forward(self, x_NCHW: Tensor) -> Tensor:
        if not self.training or distributed.world_size() == 1:
            return super().forward(x_NCHW)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        x = at_least_float32(x_NCHW)
        own_variance_C, own_mean_C = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        mean_C = distributed.AllReduceMean.apply(own_mean_C)
        variance_C = distributed.AllReduceMean.apply(own_variance_C + (own_mean_C - mean_C) ** 2)
        with torch.no_grad():
            count = distributed.world_size() * x.numel() / len(mean_C)
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean_C, self.momentum)
            self.running_var.lerp_(variance_C * count / (count - 1), self.momentum)
        scale_C = self.weight * (variance_C + self.eps).rsqrt()
        shift_C = self.bias - mean_C * scale_C
        return (x * scale_C[:, None, None] + shift_C[:, None, None]).to(x_NCHW.dtype)
