"""Files of ResNet weights, from this and other programs, by torchvision's names."""

import hashlib
import io
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moco.files import read_bytes

PREFIXES = (
    "module.encoder_q.",  # FAIR's MoCo v1 and v2, trained on several GPUs
    "encoder_q.",
    "module.base_encoder.",  # MoCo v3
    "base_encoder.",
    "query_encoder.backbone.",  # a checkpoint of this program
    "model.backbone.",
    "encoder.backbone.",  # a checkpoint of this program, training on labels
    "backbone.",  # lightly, solo-learn, and this program's encoders
    "module.backbone.",
    "encoder.",  # solo-learn before 1.0
    "module.encoder.",
    "encoder_q.0.",  # mmselfsup
    "_orig_mod.",  # a compiled model
    "module.",
    "",  # torchvision
)
# indices of the four stages in lightly's nn.Sequential, by stem
LIGHTLY_STAGES = {"imagenet": ("4", "5", "6", "7"), "small": ("2", "3", "4", "5")}
CONTAINER_KEYS = ("state_dict", "model", "state", "model")  # of checkpoints, tried in this order


def load_backbone(backbone: nn.Module, path: Path, sha256: str = "") -> str:
    """Load every tensor of a backbone from a file; return the prefix of their names in the file.

    Args:
        backbone: a ResNet with torchvision's names.
        path: a state dict, or a checkpoint that contains one, of torchvision, FAIR's MoCo, lightly,
            solo-learn or this program.
        sha256: of the file; empty: not checked.

    Raises:
        ValueError: the file is absent, has another SHA-256, cannot be read safely, or lacks a
            tensor of the backbone.
    """
    if sha256 and file_sha256(path) != sha256:
        raise ValueError(
            f"weights must have the SHA-256 {sha256[:12]}…; {path} has {file_sha256(path)[:12]}…"
        )
    tensors = read_tensors(path)
    state = backbone.state_dict()
    wanted = {
        name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")
    }
    layouts = {prefix: to_torchvision_names(tensors, prefix) for prefix in PREFIXES}
    prefix, found = max(
        layouts.items(), key=lambda layout: sum(name in layout[1] for name in wanted)
    )
    check_match(wanted, found, path)
    loaded = {}
    for name, tensor in wanted.items():
        if found[name].is_floating_point():
            loaded[name] = found[name].to(tensor.dtype)
        if name not in loaded or not loaded[name].isfinite().all():
            raise ValueError(
                f"weights must be finite real numbers; {name} of {path} is not, as {tensor.dtype}"
            )
    backbone.load_state_dict({**state, **loaded})
    return prefix


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits.

    Raises:
        ValueError: the file cannot be read.
    """
    return hashlib.sha256(read_file(path)).hexdigest()


def read_file(path: Path) -> bytes:
    """The bytes of a file of weights.

    Raises:
        ValueError: the file cannot be read.
    """
    try:
        return read_bytes(path)
    except OSError as error:
        raise ValueError(
            f"weights must name a file; {path} cannot be read ({error.strerror})"
        ) from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; no code in the file is executed.

    Raises:
        ValueError: the file cannot be read in this way, or has no tensors.
    """
    stored = io.BytesIO(read_file(path))
    if path.suffix.lower() == ".safetensors":
        return read_safetensors(path, stored.getvalue())
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's advice on old formats
            content: Any = torch.load(stored, map_location="cpu", weights_only=True)
    except Exception:  # a truncated file raises almost any type of exception
        raise ValueError(
            "weights must be a file that torch can load without running code from it; "
            f"{path} is not. "
            "From a file that you trust, save its state_dict alone"
        ) from None
    for key in CONTAINER_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    items = content.items() if isinstance(content, dict) else ()
    tensors = {
        name: value
        for name, value in items
        if isinstance(name, str) and isinstance(value, Tensor) and value.layout == torch.strided
    }
    if not tensors:
        raise ValueError(f"weights must hold tensors by name; {path} holds none")
    return tensors


def read_safetensors(path: Path, content: bytes) -> dict[str, Tensor]:
    """The tensors of a file in the format of safetensors, by name.

    Raises:
        ValueError: it is none, or safetensors is not installed.
    """
    try:
        from safetensors.torch import load
    except ImportError:
        raise ValueError(f"weights {path} need safetensors: pip install safetensors") from None
    try:
        tensors = load(content)
    except Exception:  # the library has exceptions of its own
        raise ValueError(
            f"weights must be a file of safetensors; {path} is not, or is damaged"
        ) from None
    if not tensors:
        raise ValueError(f"weights must hold tensors by name; {path} holds none")
    return tensors


def to_torchvision_names(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, by torchvision's names.

    lightly numbers its modules, and names the projection of a residual block "shortcut".
    """
    without_prefix = {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    stem = "small" if any(name.startswith("2.") for name in without_prefix) else "imagenet"
    stages = {number: f"layer{i + 1}" for i, number in enumerate(LIGHTLY_STAGES[stem])}
    modules = {"0": "conv1", "1": "bn1", **stages}

    def torchvision_name(name: str) -> str:
        first, _, rest = name.partition(".")
        return re.sub(r"\bshortcut\b", "downsample", f"{modules.get(first, first)}.{rest}")

    return {torchvision_name(name): tensor for name, tensor in without_prefix.items()}


def check_match(wanted: dict[str, Tensor], found: dict[str, Tensor], path: Path) -> None:
    """Check that every wanted tensor is in the file, in its shape.

    Raises:
        ValueError: names the first tensors that are missing or have another shape.
    """
    missing = [name for name in wanted if name not in found]
    shapes = {
        name: (tuple(found[name].shape), tuple(tensor.shape))
        for name, tensor in wanted.items()
        if name in found
    }
    mismatched = [
        f"{name} is {theirs}, the encoder's {ours}"
        for name, (theirs, ours) in shapes.items()
        if theirs != ours
    ]
    problems = []
    if missing:
        more = " .." if len(missing) > 3 else ""
        names = f"{', '.join(missing[:3])}{more}"
        problems.append(f"{len(missing)} of {len(wanted)} are missing ({names})")
    if mismatched:
        more = " .." if len(mismatched) > 2 else ""
        names = f"{'; '.join(mismatched[:2])}{more}"
        problems.append(f"{len(mismatched)} have another shape ({names})")
    if not problems:
        return
    theirs, ours = shapes.get("conv1.weight", ((), ()))
    hint = "Set encoder, width and stem as the weights have them"
    if len(theirs) == 4 and theirs[2:] != ours[2:]:
        hint = "Another stem, perhaps: weights of ImageNet need stem=imagenet"
    raise ValueError(
        f"weights must give every tensor of the backbone; of {path} {' and '.join(problems)}. "
        f"{hint}"
    )
