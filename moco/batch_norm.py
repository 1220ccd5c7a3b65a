"""Batch norm over groups of a batch, or over all workers: what one device needs in place of MoCo's many (He et al. 2020, section 3.3).

MoCo normalises on each of 8 devices apart and shuffles the keys between them; otherwise the statistics of a batch tell query and key
that they belong together. A split is one such device: it normalises a contiguous group of the batch by the group's own statistics.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moco import workers


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
            raise ValueError(f"a batch must split into {self.splits} equal groups; got {len(x_NCHW)} images")
        means = self.running_mean.repeat(self.splits, 1)
        variances = self.running_var.repeat(self.splits, 1)
        groups = [
            F.batch_norm(group, mean, variance, self.weight, self.bias, training=True, momentum=1.0, eps=self.eps)
            for group, mean, variance in zip(x_NCHW.chunk(self.splits), means, variances, strict=True)
        ]
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(means.mean(0), self.momentum or 0.0)
            self.running_var.lerp_(variances.mean(0), self.momentum or 0.0)
        return torch.cat(groups)


class SyncBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose training batch is that of all workers together, on any device; with one worker it is BatchNorm2d.

    torch's own runs on GPUs only. The workers' parts of a batch must be equally large.
    """

    def forward(self, x_NCHW: Tensor) -> Tensor:
        if not self.training or workers.count() == 1:
            return super().forward(x_NCHW)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        x = x_NCHW if x_NCHW.dtype == torch.float64 else x_NCHW.float()
        own_variance_C, own_mean_C = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        mean_C = workers.MeanOverWorkers.apply(own_mean_C)
        variance_C = workers.MeanOverWorkers.apply(own_variance_C + (own_mean_C - mean_C) ** 2)
        with torch.no_grad():
            count = workers.count() * x.numel() / len(mean_C)
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean_C, self.momentum or 0.0)
            self.running_var.lerp_(variance_C * count / (count - 1), self.momentum or 0.0)
        scale_C = self.weight * (variance_C + self.eps).rsqrt()
        return (x * scale_C[:, None, None] + (self.bias - mean_C * scale_C)[:, None, None]).to(x_NCHW.dtype)
