"""Where a trial runs and in which precision, decided from what the machine has."""

import ctypes
import platform
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from moco.config import Config


def pick_device(wish: str) -> torch.device:
    """The device of that name; auto: CUDA, else Apple's MPS, else the CPU.

    Raises:
        ValueError: the machine has no such device.
    """
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wish == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if has[name]))
    if not has[wish]:
        raise ValueError(
            f"device {wish} is not on this machine; it has {', '.join(name for name in has if has[name])}"
        )
    return torch.device(wish)


def gpus() -> int:
    """How many CUDA devices this machine has."""
    return torch.cuda.device_count()


@cache
def has_fast_bfloat16(kind: str) -> bool:
    """Whether the hardware multiplies bfloat16 itself: then a pass in it is faster and needs no loss scaling."""
    if kind == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    return kind == "cpu" and any(
        flag in cpu_flags() for flag in ("avx512_bf16", "amx_bf16", "bf16")
    )


@cache
def cpu_flags() -> frozenset[str]:
    """The instruction sets that Linux names; nothing elsewhere."""
    path = Path("/proc/cpuinfo")
    text = path.read_text() if platform.system() == "Linux" and path.exists() else ""
    return frozenset(
        word
        for line in text.splitlines()
        if line.lower().startswith(("flags", "features"))
        for word in line.split()
    )


def pick_precision(config: Config, device: torch.device, size: int) -> torch.dtype:
    """The dtype of the encoders' passes over images of `size` pixels; weights, keys, logits and loss are float32 always.

    On a CPU, torch's bfloat16 gradient of a strided convolution over one single pixel is memory that no one wrote (seen in 2.15):
    images so small are float32.

    Raises:
        ValueError: bfloat16 is forced there.
    """
    least = (
        17 if config.stem == "imagenet" else 5
    )  # pixels; below, the last stage begins with a single one
    broken = device.type == "cpu" and size < least
    if config.precision == "auto":
        return torch.bfloat16 if has_fast_bfloat16(device.type) and not broken else torch.float32
    if config.precision == "bfloat16" and broken:
        raise ValueError(
            f"precision bfloat16 on a CPU needs images of at least {least} px with the {config.stem} stem; got {size}"
        )
    return getattr(torch, config.precision)


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on the device; a GPU gets it while the program goes on."""
    return (
        tensor.pin_memory().to(device, non_blocking=True)
        if device.type == "cuda"
        else tensor.to(device)
    )


def passes(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """The context of an encoder's pass in that precision; float32 and float64 are left as they are."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16)


def in_full(x: Tensor) -> Tensor:
    """At least float32."""
    return x if x.dtype == torch.float64 else x.float()


@cache
def keep_pages() -> None:
    """Lets this process keep memory that it freed: glibc gives large blocks back to the kernel, and every step then pays for new pages."""
    with suppress(OSError, AttributeError):  # not glibc
        libc = ctypes.CDLL(None)
        for option, value in (
            (-4, 0),
            (-1, 2**31 - 1),
        ):  # M_MMAP_MAX: no block is mapped by itself; M_TRIM_THRESHOLD of malloc.h, bytes
            libc.mallopt(option, value)


def describe(device: torch.device) -> str:
    """A name for people: the GPU's, or the CPU's architecture."""
    return (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{device.type} ({platform.machine()})"
    )
