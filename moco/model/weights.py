"""Weights of a ResNet from elsewhere and for elsewhere, by torchvision's names; a backbone is never left partly random."""

import hashlib
import io
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

PREFIXES = (
    "module.encoder_q.",  # FAIR's MoCo v1 and v2, trained on several GPUs
    "encoder_q.",
    "module.base_encoder.",  # MoCo v3
    "base_encoder.",
    "query_encoder.backbone.",  # a checkpoint of this program
    "model.backbone.",
    "encoder.backbone.",  # one of training on labels
    "backbone.",  # lightly, solo-learn, and this program's encoders
    "module.backbone.",
    "encoder.",  # solo-learn before 1.0
    "module.encoder.",
    "encoder_q.0.",  # mmselfsup
    "_orig_mod.",  # a compiled model
    "module.",
    "",  # torchvision
)
LAYERS = {
    "imagenet": ("4", "5", "6", "7"),
    "small": ("2", "3", "4", "5"),
}  # where the stages stand in lightly's sequences of modules


def load_backbone(backbone: nn.Module, path: Path, sha256: str = "") -> str:
    """Fills a backbone from a file of weights; the layout that the file was found to have, as the prefix of its names.

    Args:
        backbone: a ResNet with torchvision's names.
        path: a state dict, or a checkpoint that holds one, of torchvision, FAIR's MoCo, lightly, solo-learn or this program.
        sha256: of the file; empty: any.

    Raises:
        ValueError: the file is not there, is another one, cannot be read safely, or does not give every tensor of the backbone.
    """
    if sha256 and digest(path) != sha256:
        raise ValueError(
            f"weights must have the SHA-256 {sha256[:12]}…; {path} has {digest(path)[:12]}…"
        )
    found = read(path)
    wanted = {
        name: tensor
        for name, tensor in backbone.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    layouts = {prefix: renamed(found, prefix) for prefix in PREFIXES}
    prefix, named = max(
        layouts.items(), key=lambda layout: sum(name in layout[1] for name in wanted)
    )
    check_match(wanted, named, path)
    if wrong := [
        name
        for name in wanted
        if not (named[name].is_floating_point() and named[name].isfinite().all())
    ]:
        raise ValueError(f"weights must be finite real numbers; {wrong[0]} of {path} is not")
    backbone.load_state_dict(
        {
            **backbone.state_dict(),
            **{name: named[name].to(tensor.dtype) for name, tensor in wanted.items()},
        }
    )
    return prefix


def digest(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        ValueError: it cannot be read.
    """
    return hashlib.sha256(content_of(path)).hexdigest()


def content_of(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"weights must name a file; {path} cannot be read ({error.strerror})"
        ) from None


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; nothing in it is executed.

    Raises:
        ValueError: it cannot be read so, or holds no tensors.
    """
    stored = io.BytesIO(content_of(path))
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's advice on old formats
            content: Any = torch.load(stored, map_location="cpu", weights_only=True)
    except Exception as error:  # torch meets the bytes of a torn file with nearly any error
        told = f"{path} is not ({type(error).__name__}). From a file that you trust, save its state_dict alone"
        raise ValueError(
            f"weights must be a file that torch can load without running code from it; {told}"
        ) from None
    for key in (
        "state_dict",
        "model",
        "state",
        "model",
    ):  # checkpoints hold their weights under one of these
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    named = content.items() if isinstance(content, dict) else ()
    tensors = {
        name: value
        for name, value in named
        if isinstance(name, str) and isinstance(value, Tensor) and value.layout == torch.strided
    }
    if not tensors:
        raise ValueError(f"weights must hold tensors by name; {path} holds none")
    return tensors


def renamed(found: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors below a prefix by torchvision's names; lightly numbers its modules and calls a projection shortcut."""
    below = {
        name.removeprefix(prefix): tensor
        for name, tensor in found.items()
        if name.startswith(prefix)
    }
    layers = LAYERS["small" if any(name.startswith("2.") for name in below) else "imagenet"]
    modules = {
        "0": "conv1",
        "1": "bn1",
        **{number: f"layer{i + 1}" for i, number in enumerate(layers)},
    }

    def torchvisions(name: str) -> str:
        first, _, rest = name.partition(".")
        return re.sub(r"\bshortcut\b", "downsample", f"{modules.get(first, first)}.{rest}")

    return {torchvisions(name): tensor for name, tensor in below.items()}


def check_match(wanted: dict[str, Tensor], named: dict[str, Tensor], path: Path) -> None:
    """Every wanted tensor is there in its shape.

    Raises:
        ValueError: the first few that are not, by name.
    """
    missing = [name for name in wanted if name not in named]
    shapes = {
        name: (tuple(named[name].shape), tuple(tensor.shape))
        for name, tensor in wanted.items()
        if name in named
    }
    other = [
        f"{name} is {theirs}, the encoder's {ours}"
        for name, (theirs, ours) in shapes.items()
        if theirs != ours
    ]
    if not missing and not other:
        return
    told = (
        [
            f"{len(missing)} of {len(wanted)} are missing ({', '.join(missing[:3])}{' ..' if len(missing) > 3 else ''})"
        ]
        if missing
        else []
    )
    told += (
        [
            f"{len(other)} have another shape ({'; '.join(other[:2])}{' ..' if len(other) > 2 else ''})"
        ]
        if other
        else []
    )
    kernels = shapes.get("conv1.weight", ((), ()))
    hint = (
        ". Another stem, perhaps: weights of ImageNet need stem=imagenet"
        if len(kernels[0]) == 4 and kernels[0][2:] != kernels[1][2:]
        else ""
    )
    hint = hint or ". Set encoder, width and stem as the weights have them"
    raise ValueError(
        f"weights must give every tensor of the backbone; of {path} {' and '.join(told)}{hint}"
    )
