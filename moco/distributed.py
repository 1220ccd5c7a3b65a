"""Collectives between the data-parallel workers of one trial.

A worker is a process of torch.distributed's default group. Without a group there is one worker,
and every function here is then the identity.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def world_size() -> int:
    """Number of workers that share a batch; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this worker, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def shard(batch: Tensor) -> Tensor:
    """This worker's part of a batch that every worker holds; all parts are equally large."""
    return batch.chunk(world_size())[rank()] if world_size() > 1 else batch


def all_gather(part: Tensor) -> Tensor:
    """The parts of all workers, concatenated in order of rank; carries no gradient."""
    if world_size() == 1:
        return part
    part = part.contiguous()
    parts = [torch.empty_like(part) for _ in range(world_size())]
    dist.all_gather(parts, part)
    return torch.cat(parts)


def broadcast_from_first(make: Callable[[], Any]) -> Any:
    """The result of `make`, which only the first worker calls; the others receive a copy."""
    if world_size() == 1:
        return make()
    objects = [make() if rank() == 0 else None]
    dist.broadcast_object_list(objects)
    return objects[0]


def average(tensors: list[Tensor]) -> None:
    """Replace each tensor in place by its mean over the workers; one message for all of them."""
    if world_size() == 1 or not tensors:
        return
    flat = all_reduce_mean(torch.cat([tensor.flatten() for tensor in tensors]))
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Average the gradients over the workers, so that all of them take the same step."""
    average([parameter.grad for parameter in parameters if parameter.grad is not None])


def average_batch_norm_statistics(model: nn.Module) -> None:
    """Average batch norm's running mean and variance over the workers."""
    statistics = ("running_mean", "running_var")
    average([buffer for name, buffer in model.named_buffers() if name.endswith(statistics)])


class AllReduceMean(torch.autograd.Function):
    """The mean of a tensor over the workers; its gradient is the mean of their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return all_reduce_mean(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return all_reduce_mean(gradients[0])


def all_reduce_mean(x: Tensor) -> Tensor:
    """The mean over the workers, in a new tensor."""
    total = x.contiguous().clone()
    dist.all_reduce(total)
    return total / world_size()
