"""Convolution of maps of a few pixels on a CPU: one matrix product for each pixel of the result.

Every ResNet on small images ends in such maps. A 3x3 kernel on 2x2 or 1x1 pixels covers mostly
padding; torch's general kernels multiply the padding too, and are slow in the weights' gradient.

Letters: N images, H x W pixels or taps, I channels of the input map, O channels of the output map.
A tap is one position of the kernel.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import custom_fwd
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

MAX_PIXELS = 4  # of the result; above, torch's own convolution is as fast
MIN_WEIGHTS_PER_PIXEL = 65_536  # of the result; below, the products are too small for their calls
MAX_SAFE_PIXELS = 256  # of a strided result, see `overruns_memory`
ALL = slice(None)
Index = tuple[slice | int, ...]


@dataclass(frozen=True)
class Axis:
    """A convolution along the rows or the columns."""

    taps: int
    stride: int
    padding: int


class SmallMapConv2d(nn.Conv2d):
    """nn.Conv2d that computes small maps on a CPU by SmallMapConvolution."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        if loses_gradient(self, x_NCHW):
            with torch.autocast("cpu", enabled=False):
                return super().forward(x_NCHW.float()).to(torch.bfloat16)
        if overruns_memory(self, x_NCHW):
            row_stride, column_stride = self.stride
            visited_NCHW = x_NCHW[:, :, ::row_stride, ::column_stride]
            return F.conv2d(visited_NCHW, self.weight, self.bias)
        supported = self.groups == 1 and self.dilation == (1, 1) and self.bias is None
        padded = self.padding_mode == "zeros" and not isinstance(self.padding, str)
        if (
            not (supported and padded)
            or x_NCHW.device.type != "cpu"
            or is_cast_to_float16()
            or torch.compiler.is_compiling()
        ):
            return super().forward(x_NCHW)
        rows, columns = self.axis(0), self.axis(1)
        pixels = output_size(x_NCHW.shape[2], rows) * output_size(x_NCHW.shape[3], columns)
        if pixels > MAX_PIXELS or self.weight.numel() < MIN_WEIGHTS_PER_PIXEL * pixels:
            return super().forward(x_NCHW)
        return SmallMapConvolution.apply(x_NCHW, self.weight, rows, columns)

    def axis(self, side: int) -> Axis:
        """The convolution along the rows (0) or the columns (1)."""
        taps, stride, padding = self.kernel_size[side], self.stride[side], self.padding[side]
        return Axis(taps=taps, stride=stride, padding=int(padding))


def loses_gradient(convolution: nn.Conv2d, x_NCHW: Tensor) -> bool:
    """Whether torch would return uninitialised memory as the gradient of the weights.

    It does in bfloat16 on a CPU for a strided convolution over a single pixel (seen with torch
    2.14.1 and 2.15); `moco.device.pick_precision` keeps torchvision's encoders from it.
    """
    return (
        x_NCHW.device.type == "cpu"
        and max(convolution.stride) > 1
        and x_NCHW.shape[2:] == (1, 1)
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
    )


def is_cast_to_float16() -> bool:
    """Whether passes on the CPU are cast to float16, which our own convolution does not know."""
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.float16


class SmallMapConvolution(torch.autograd.Function):
    """A convolution and its gradients, without bias, groups or dilation."""

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)
    def forward(ctx: Any, x_NIHW: Tensor, weight_OIHW: Tensor, rows: Axis, columns: Axis) -> Tensor:
        x_NHWI, weight_OHWI = x_NIHW.permute(0, 2, 3, 1), weight_OIHW.permute(0, 2, 3, 1)
        ctx.rows, ctx.columns = rows, columns
        ctx.save_for_backward(x_NHWI, weight_OHWI)
        height, width = output_size(x_NHWI.shape[1], rows), output_size(x_NHWI.shape[2], columns)
        y_NHWO = x_NHWI.new_empty(len(x_NHWI), height, width, len(weight_OHWI))
        for output, pixels, taps in output_windows(x_NHWI, rows, columns):
            y_NHWO[output] = x_NHWI[pixels].flatten(1) @ weight_OHWI[taps].flatten(1).T
        return y_NHWO.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_y, rows, columns = gradients[0].permute(0, 2, 3, 1), ctx.rows, ctx.columns
        # the windows overlap, so their sum is accumulated in float32
        of_x = torch.zeros_like(x, dtype=torch.promote_types(x.dtype, torch.float32))
        for output, pixels, taps in output_windows(x, rows, columns):
            of_x[pixels] += (of_y[output] @ weight[taps].flatten(1)).view_as(x[pixels])
        of_weight = torch.zeros_like(weight, dtype=of_x.dtype)
        for tap, outputs, pixels in tap_overlaps(x, rows, columns):
            of_weight[tap] = of_y[outputs].flatten(0, 2).T @ x[pixels].flatten(0, 2)
        return of_x.permute(0, 3, 1, 2).to(x.dtype), of_weight.permute(0, 3, 1, 2), None, None


def output_size(size: int, axis: Axis) -> int:
    """Pixels of the result along an axis of `size` pixels."""
    return (size + 2 * axis.padding - axis.taps) // axis.stride + 1


def output_windows(
    x_NHWI: Tensor, rows: Axis, columns: Axis
) -> Iterator[tuple[Index, Index, Index]]:
    """For each pixel of the result: its index, the input pixels under the kernel, and their taps.

    Padding is left out.
    """
    height, width = x_NHWI.shape[1:3]
    for i, j in product(range(output_size(height, rows)), range(output_size(width, columns))):
        pixel_rows, tap_rows = overlap_at_output(i, height, rows)
        pixel_columns, tap_columns = overlap_at_output(j, width, columns)
        yield (ALL, i, j), (ALL, pixel_rows, pixel_columns), (ALL, tap_rows, tap_columns)


def overlap_at_output(output: int, size: int, axis: Axis) -> tuple[slice, slice]:
    """Along one axis: the input pixels under the kernel at an output, and their taps."""
    start = output * axis.stride - axis.padding
    first, end = max(start, 0), min(start + axis.taps, size)
    return slice(first, end), slice(first - start, end - start)


def tap_overlaps(x_NHWI: Tensor, rows: Axis, columns: Axis) -> Iterator[tuple[Index, Index, Index]]:
    """For each tap that covers any input pixel: its index, the outputs, and the pixels there."""
    height, width = x_NHWI.shape[1:3]
    for i, j in product(range(rows.taps), range(columns.taps)):
        output_rows, pixel_rows = overlap_at_tap(i, height, rows)
        output_columns, pixel_columns = overlap_at_tap(j, width, columns)
        if output_rows.start < output_rows.stop and output_columns.start < output_columns.stop:
            yield (ALL, i, j), (ALL, output_rows, output_columns), (ALL, pixel_rows, pixel_columns)


def overlap_at_tap(tap: int, size: int, axis: Axis) -> tuple[slice, slice]:
    """Along one axis: the outputs at which a tap covers an input pixel, and those pixels."""
    offset = tap - axis.padding  # of the pixel from output x stride
    first = max(0, -(offset // axis.stride))
    end = min(output_size(size, axis), (size - 1 - offset) // axis.stride + 1)
    pixels = slice(
        first * axis.stride + offset, max(0, (end - 1) * axis.stride + offset + 1), axis.stride
    )
    return slice(first, end), pixels


def overruns_memory(convolution: nn.Conv2d, x_NCHW: Tensor) -> bool:
    """Whether oneDNN may write beyond its buffers in the gradient of the weights.

    Its kernel jit_1x1 copies the pixels that a strided 1x1 convolution reads into a workspace of
    each thread, with the channels rounded up to a block of 16 but room for the channels alone
    (uxlfoundation/oneDNN, issue 6035). With fewer than 16 channels in channels_last it overruns
    where a thread's work starts inside an image: "corrupted size vs. prev_size", "double free", a
    segmentation fault, or, in silence, gradients that are wrong by a tenth.

    Seen with torch 2.14.1 (oneDNN 3.12) on an Intel Xeon, 27 November 2026, in float32, and in
    bfloat16 without AMX: 8 channels and 64 images crashed at 16 and 32 px with 3, 5, 6 and 7
    threads but never where the threads share the images evenly (1, 2, 4, 8, 16), and at 64 px with
    every number of threads. Stride 1, 16 and more channels and the contiguous layout never crashed.
    Reading every other pixel first and then convolving with stride 1 avoids the kernel at no cost
    (22.3 and 22.4 ms a step). Where nothing was ever seen, torch's own path stays, and with it the
    last digits of earlier records. `benchmarks/memory_overruns.py` tries it in child processes.
    """
    if torch.compiler.is_compiling():  # a compiled graph cannot depend on the number of threads
        return False
    strided = convolution.kernel_size == (1, 1) and max(convolution.stride) > 1
    exposed = strided and convolution.in_channels < 16 and convolution.padding in ((0, 0), "valid")
    if not exposed or convolution.groups > 1 or x_NCHW.device.type != "cpu":
        return False
    pixels = x_NCHW.shape[2] * x_NCHW.shape[3] // (convolution.stride[0] * convolution.stride[1])
    return pixels > MAX_SAFE_PIXELS or len(x_NCHW) % torch.get_num_threads() > 0
