"""Convolution on a CPU of maps of a few pixels, which end every ResNet on small images: a product of matrices for each pixel of the result.

A 3x3 kernel on a map of 2x2 or 1x1 pixels meets mostly padding; general kernels multiply that too, and are slow in the weights' gradient.

Letters: N images, H x W pixels or taps, I channels of the map that comes in, O channels of the one that goes out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import custom_fwd
from torch.autograd.function import once_differentiable

FEW = 4  # pixels; with more, torch's own convolution is as fast
MANY = (
    65_536  # weights for each pixel; with fewer, the products are too small to be worth their calls
)
ALL = slice(None)
Index = tuple[slice | int, ...]


@dataclass(frozen=True)
class Along:
    """A convolution along rows or columns."""

    taps: int
    stride: int
    padding: int


class Conv2d(nn.Conv2d):
    """nn.Conv2d, with another way to the same numbers on a CPU where the result has FEW pixels and the kernel MANY weights for each."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        rows, columns = (
            Along(self.kernel_size[side], self.stride[side], int(self.padding[side]))
            for side in (0, 1)
        )
        pixels = outputs(x_NCHW.shape[2], rows) * outputs(x_NCHW.shape[3], columns)
        general = self.groups > 1 or self.dilation != (1, 1) or self.bias is not None
        if (
            pixels > FEW
            or self.weight.numel() < MANY * pixels
            or general
            or x_NCHW.device.type != "cpu"
            or torch.compiler.is_compiling()
        ):
            return super().forward(x_NCHW)
        return FewPixels.apply(x_NCHW, self.weight, rows, columns)


class FewPixels(torch.autograd.Function):
    """The convolution and its gradients; `rows` and `columns` are taps, stride and padding along each."""

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)
    def forward(
        ctx: Any, x_NIHW: Tensor, weight_OIHW: Tensor, rows: Along, columns: Along
    ) -> Tensor:
        x, weight = x_NIHW.permute(0, 2, 3, 1), weight_OIHW.permute(0, 2, 3, 1)
        ctx.rows, ctx.columns = rows, columns
        ctx.save_for_backward(x, weight)
        y = x.new_empty(
            len(x), outputs(x.shape[1], rows), outputs(x.shape[2], columns), len(weight)
        )
        for pixel, seen, taps in windows(x, rows, columns):
            y[pixel] = x[seen].flatten(1) @ weight[taps].flatten(1).T
        return y.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_y, rows, columns = gradients[0].permute(0, 2, 3, 1), ctx.rows, ctx.columns
        of_x = torch.zeros_like(
            x, dtype=torch.promote_types(x.dtype, torch.float32)
        )  # windows overlap: their sum is no half number
        for pixel, seen, taps in windows(x, rows, columns):
            of_x[seen] += (of_y[pixel] @ weight[taps].flatten(1)).view_as(x[seen])
        of_weight = torch.zeros_like(weight, dtype=of_x.dtype)
        for tap, pixels, seen in meetings(x, rows, columns):
            of_weight[tap] = of_y[pixels].flatten(0, 2).T @ x[seen].flatten(0, 2)
        return of_x.permute(0, 3, 1, 2).to(x.dtype), of_weight.permute(0, 3, 1, 2), None, None


def outputs(size: int, along: Along) -> int:
    """Pixels of the result along a side of so many pixels."""
    return (size + 2 * along.padding - along.taps) // along.stride + 1


def windows(x_NHWI: Tensor, rows: Along, columns: Along) -> Iterator[tuple[Index, Index, Index]]:
    """For each pixel of the result: its index, the pixels under the kernel there, and the taps above them; padding is left out."""
    for i, j in product(
        range(outputs(x_NHWI.shape[1], rows)), range(outputs(x_NHWI.shape[2], columns))
    ):
        (seen_rows, tap_rows), (seen_columns, tap_columns) = (
            under(i, x_NHWI.shape[1], rows),
            under(j, x_NHWI.shape[2], columns),
        )
        yield (ALL, i, j), (ALL, seen_rows, seen_columns), (ALL, tap_rows, tap_columns)


def under(output: int, size: int, along: Along) -> tuple[slice, slice]:
    """Along one side: the pixels under the kernel at an output, and the taps above them."""
    start = output * along.stride - along.padding
    first, end = max(start, 0), min(start + along.taps, size)
    return slice(first, end), slice(first - start, end - start)


def meetings(x_NHWI: Tensor, rows: Along, columns: Along) -> Iterator[tuple[Index, Index, Index]]:
    """For each tap that meets a pixel: its index, the results in which it does, and the pixels that it meets in them."""
    for i, j in product(range(rows.taps), range(columns.taps)):
        (out_rows, seen_rows), (out_columns, seen_columns) = (
            met(i, x_NHWI.shape[1], rows),
            met(j, x_NHWI.shape[2], columns),
        )
        if out_rows.start < out_rows.stop and out_columns.start < out_columns.stop:
            yield (ALL, i, j), (ALL, out_rows, out_columns), (ALL, seen_rows, seen_columns)


def met(tap: int, size: int, along: Along) -> tuple[slice, slice]:
    """Along one side: the outputs at which a tap lies on a pixel, and those pixels."""
    offset = tap - along.padding  # of the pixel from output x stride
    first = max(0, -(offset // along.stride))
    end = min(outputs(size, along), (size - 1 - offset) // along.stride + 1)
    return slice(first, end), slice(
        first * along.stride + offset, max(0, (end - 1) * along.stride + offset + 1), along.stride
    )
