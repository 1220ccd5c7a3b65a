"""The device and the precision of a trial, chosen by what the machine has."""

import ctypes
import platform
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from moco.config import Config

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # options of mallopt, from glibc's malloc.h


def pick_device(wish: str) -> torch.device:
    """The device of that name; auto: CUDA, else Apple's MPS, else the CPU.

    Raises:
        ValueError: the machine has no such device.
    """
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wish == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if has[name]))
    if not has[wish]:
        available = ", ".join(name for name in has if has[name])
        raise ValueError(f"device {wish} is not on this machine; it has {available}")
    return torch.device(wish)


def gpu_count() -> int:
    """Number of CUDA devices of this machine."""
    return torch.cuda.device_count()


# Seconds of a training step in bfloat16 over float32, ResNet-18, one thread, torch 2.14.1, least
# of 5 to 15 steps in turn, 27 November 2026. Whether bfloat16 pays depends on the instructions, not
# on width or size: on Intel with AMX it is faster in every row; without AMX (the same Xeon limited
# to AVX512_BF16 by ONEDNN_MAX_CPU_ISA) it is slower in every row. AMD's AVX512_BF16 was faster
# (0.53 and 0.72 at width 1, 24 November 2026, benchmarks/RESULTS.md).
#
#   stem      width   pixels   batch    AMX   AVX512_BF16
#   small     0.125       16      64   0.84          1.16
#   small     0.25        16      64   0.74          1.16
#   small     0.5         16      64   0.61          1.34
#   small     0.125       32      64   0.73          1.24
#   small     0.25        32      64   0.60          1.31
#   small     0.5         32      64   0.50          1.40
#   small     1           32      32   0.42          1.39
#   imagenet  0.25        32     128   0.87          1.18
#   imagenet  0.5         32     128   0.80          1.22
#   imagenet  1           32     128   0.69          1.38
#   imagenet  0.25        64      64   0.75          1.17
#   imagenet  1           64      32   0.59          1.28
FAST_BFLOAT16 = ({"amx_bf16"}, {"avx512_bf16", "AuthenticAMD"})  # each: words of /proc/cpuinfo


@cache
def has_fast_bfloat16(kind: str) -> bool:
    """Whether training was measured to be faster in bfloat16; no loss scaling is needed then."""
    if kind == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    return kind == "cpu" and any(words <= cpu_words() for words in FAST_BFLOAT16)


@cache
def needs_float16(kind: str) -> bool:
    """Whether a GPU has fast float16 and no bfloat16, as P100 (6.0), V100 (7.0) and T4 (7.5).

    None of them was at hand: the choice rests on NVIDIA's tables, not on a measurement.
    """
    return kind == "cuda" and (6, 0) <= torch.cuda.get_device_capability() < (8, 0)


@cache
def cpu_words() -> frozenset[str]:
    """Vendor and instruction sets that Linux lists for the CPU; empty on other systems."""
    path = Path("/proc/cpuinfo")
    text = path.read_text() if platform.system() == "Linux" and path.exists() else ""
    return frozenset(
        word
        for line in text.splitlines()
        if line.lower().startswith(("flags", "features", "vendor_id"))
        for word in line.split()
    )


def pick_precision(config: Config, device: torch.device, size: int) -> torch.dtype:
    """The dtype of the encoders' passes over images of `size` pixels a side.

    Weights, keys, logits and loss are float32 in any case. On a CPU, torch (seen in 2.15) returns
    uninitialised memory as the bfloat16 gradient of a strided convolution over a single pixel;
    images so small that a stage begins with one pixel are therefore computed in float32.

    Raises:
        ValueError: `config.precision` has 16 bits for images so small on a CPU.
    """
    # pixels, from which on the last stage begins with more than one
    smallest = {"small": 5, "strided": 9, "imagenet": 17}[config.stem]
    broken = device.type == "cpu" and size < smallest
    if config.precision == "auto":
        if has_fast_bfloat16(device.type) and not broken:
            return torch.bfloat16
        return torch.float16 if needs_float16(device.type) else torch.float32
    if config.precision in ("bfloat16", "float16") and broken:
        raise ValueError(
            f"precision {config.precision} on a CPU needs images of at least {smallest} px "
            f"with the {config.stem} stem; got {size}"
        )
    return getattr(torch, config.precision)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A copy of a CPU tensor on the device; the copy to a GPU is asynchronous."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def autocast(device: torch.device, precision: torch.dtype, *, cache: bool = True) -> torch.autocast:
    """The context of an encoder's pass: autocast for 16 bits, no change for other precisions.

    Args:
        device: of the pass.
        precision: of the pass.
        cache: whether weights that were cast once are kept until the context ends.
    """
    is_half = precision in (torch.bfloat16, torch.float16)
    dtype = precision if is_half else torch.bfloat16
    return torch.autocast(device.type, dtype, enabled=is_half, cache_enabled=cache)


def at_least_float32(x: Tensor) -> Tensor:
    """The tensor in float32, or in float64 where it already is."""
    return x if x.dtype == torch.float64 else x.float()


@cache
def keep_freed_memory() -> None:
    """Tell glibc's malloc to keep freed blocks for reuse; no effect with other C libraries.

    By default it returns large blocks to the kernel, so that every training step faults in new
    pages.
    """
    with suppress(OSError, AttributeError):  # no glibc
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)  # no block gets a mapping of its own
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)  # bytes


def device_name(device: torch.device) -> str:
    """A readable name: the GPU's, or the device type with the CPU's architecture."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()})"
