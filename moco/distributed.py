"""The data-parallel workers of one trial: any initialised torch.distributed process group, or just this process."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def count() -> int:
    """How many workers share a batch; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This worker's number, from 0."""
    return dist.get_rank() if count() > 1 else 0


def share(batch: Tensor) -> Tensor:
    """This worker's equal part of a batch that all workers know."""
    return batch.chunk(count())[rank()] if count() > 1 else batch


def gather(part: Tensor) -> Tensor:
    """All workers' equal parts in order of rank, without gradient."""
    if count() == 1:
        return part
    part = part.contiguous()
    parts = [torch.empty_like(part) for _ in range(count())]
    dist.all_gather(parts, part)
    return torch.cat(parts)


def of_first(make: Callable[[], Any]) -> Any:
    """What the first worker makes; the others wait for it and get a copy."""
    if count() == 1:
        return make()
    made = [make() if rank() == 0 else None]
    dist.broadcast_object_list(made)
    return made[0]


def average(tensors: list[Tensor]) -> None:
    """Replaces every tensor by its mean over the workers, in one message."""
    if count() == 1 or not tensors:
        return
    flat = all_mean(torch.cat([tensor.flatten() for tensor in tensors]))
    for tensor, part in zip(
        tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True
    ):
        tensor.copy_(part.view_as(tensor))


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """All workers then take the same step."""
    average([parameter.grad for parameter in parameters if parameter.grad is not None])


def average_statistics(model: nn.Module) -> None:
    """Batch norm's running statistics are then those of one worker that sees all groups."""
    average(
        [
            buffer
            for name, buffer in model.named_buffers()
            if name.endswith(("running_mean", "running_var"))
        ]
    )


class MeanOverWorkers(torch.autograd.Function):
    """The mean of a tensor over the workers; its gradient is the mean of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return all_mean(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return all_mean(gradients[0])


def all_mean(x: Tensor) -> Tensor:
    """The mean over the workers, in a new tensor."""
    total = x.contiguous().clone()
    dist.all_reduce(total)
    return total / count()
