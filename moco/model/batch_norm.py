"""Batch norm over groups of a batch, or over all workers: what one device needs in place of MoCo's many (He et al. 2020, section 3.3).

MoCo normalises on each of 8 devices apart and shuffles the keys between them; otherwise the statistics of a batch tell query and key
that they belong together. A split is one such device: it normalises a contiguous group of the batch by the group's own statistics.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from moco import distributed


class SplitBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose training batch of N images is normalised in `splits` groups of N / splits.

    The running statistics follow the mean of the groups' means and variances, as FAIR's CIFAR-10 demo has it: the spread between
    the groups' means does not enter them. State and evaluation are those of BatchNorm2d.
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
        if len(x_NCHW) % self.splits:
            raise ValueError(
                f"a batch must split into {self.splits} equal groups; got {len(x_NCHW)} images"
            )
        self.num_batches_tracked += 1
        statistics = (self.running_mean, self.running_var, self.momentum or 0.0)
        normalised = normalised_apart if torch.compiler.is_compiling() else GroupNormalised.apply
        return normalised(x_NCHW, self.weight, self.bias, self.splits, self.eps, statistics)


def normalised_apart(
    x_NCHW: Tensor,
    weight_C: Tensor,
    bias_C: Tensor,
    groups: int,
    eps: float,
    running: tuple[Tensor, Tensor, float],
) -> Tensor:
    """GroupNormalised in the words that torch.compile takes."""
    mean_C, variance_C, momentum = running
    parts = zip(x_NCHW.chunk(groups), shares(groups, momentum), strict=True)
    return torch.cat(
        [
            F.batch_norm(x, mean_C, variance_C, weight_C, bias_C, True, share, eps)
            for x, share in parts
        ]
    )


def shares(groups: int, momentum: float) -> list[float]:
    """What each of G groups, one after the other, moves the running statistics by: the k-th by (m / G) / (1 - m + m k / G).

    In the end each group has the weight m / G, and what was there before 1 - m.
    """
    return [
        momentum / groups / (1 - momentum + momentum * k / groups) for k in range(1, groups + 1)
    ]


class GroupNormalised(torch.autograd.Function):
    """A batch in equal groups, each normalised by its own statistics, all written into one result.

    `running` is mean, variance and momentum; mean and variance follow their means over the groups.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x_NCHW: Tensor,
        weight_C: Tensor,
        bias_C: Tensor,
        groups: int,
        eps: float,
        running: tuple[Tensor, Tensor, float],
    ) -> Tensor:
        result = torch.empty_like(x_NCHW)
        mean_GC, scale_GC = (
            weight_C.new_empty(groups, len(weight_C)),
            weight_C.new_empty(groups, len(weight_C)),
        )
        mean_C, variance_C, momentum = running
        parts = zip(
            x_NCHW.chunk(groups),
            result.chunk(groups),
            mean_GC,
            scale_GC,
            shares(groups, momentum),
            strict=True,
        )
        for x, y, mean, scale, share in parts:
            normalised_into(
                x,
                weight_C,
                bias_C,
                mean_C,
                variance_C,
                True,
                share,
                eps,
                out=y,
                save_mean=mean,
                save_invstd=scale,
            )
        ctx.save_for_backward(x_NCHW, weight_C, mean_GC, scale_GC)
        ctx.eps = eps
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x_NCHW, weight_C, mean_GC, scale_GC = ctx.saved_tensors
        parts = zip(
            gradients[0].chunk(len(mean_GC)),
            x_NCHW.chunk(len(mean_GC)),
            mean_GC,
            scale_GC,
            strict=True,
        )
        found = [
            torch.ops.aten.native_batch_norm_backward(
                gradient, x, weight_C, None, None, mean, scale, True, ctx.eps, [True, True, True]
            )
            for gradient, x, mean, scale in parts
        ]
        of_x, of_weight, of_bias = zip(*found, strict=True)
        return (
            torch.cat(of_x),
            torch.stack(of_weight).sum(0),
            torch.stack(of_bias).sum(0),
            None,
            None,
            None,
        )


normalised_into = torch.ops.aten.native_batch_norm.out  # moves the running statistics too


class SyncBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose training batch is that of all workers together, on any device; with one worker it is BatchNorm2d.

    torch's own runs on GPUs only. The workers' parts of a batch must be equally large.
    """

    def forward(self, x_NCHW: Tensor) -> Tensor:
        if not self.training or distributed.count() == 1:
            return super().forward(x_NCHW)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        x = x_NCHW if x_NCHW.dtype == torch.float64 else x_NCHW.float()
        own_variance_C, own_mean_C = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        mean_C = distributed.MeanOverWorkers.apply(own_mean_C)
        variance_C = distributed.MeanOverWorkers.apply(own_variance_C + (own_mean_C - mean_C) ** 2)
        with torch.no_grad():
            count = distributed.count() * x.numel() / len(mean_C)
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean_C, self.momentum or 0.0)
            self.running_var.lerp_(variance_C * count / (count - 1), self.momentum or 0.0)
        scale_C = self.weight * (variance_C + self.eps).rsqrt()
        return (x * scale_C[:, None, None] + (self.bias - mean_C * scale_C)[:, None, None]).to(
            x_NCHW.dtype
        )
