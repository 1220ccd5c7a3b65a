"""Encoders beside torchvision's: any of one's own as module:function, and timm's as timm:NAME."""

from collections.abc import Callable
from typing import Any, TypeGuard

from torch import Tensor, nn

from moco.model.convolution import SmallMapConv2d
from moco.own_code import TIMM, call_own, import_named, is_own

# attributes that say how many features an encoder has, the first that is there; timm's last two
SIZES = ("feature_size", "head_hidden_size", "num_features")


def is_further(name: str) -> bool:
    """Whether an encoder's name is that of one's own, or of timm's."""
    return name.startswith(TIMM) or is_own(name)


def build_further(
    name: str, channels: int, norm_layer: Callable[[int], nn.Module]
) -> tuple[nn.Module, int]:
    """The encoder of that name, images (N, channels, H, W) to features (N, D), and D.

    Its BatchNorm2d layers become those of `norm_layer`, so that keys are shuffled among groups as
    in torchvision's; other kinds of batch norm stay as they are.

    Args:
        name: of a function that takes the channels and returns a module whose feature_size says
            D, as my_module:make; or timm:NAME.

    Raises:
        ValueError: there is no such encoder, or it does not say how many features it has.
    """
    encoder = timm_encoder(name, channels) if name.startswith(TIMM) else own_encoder(name, channels)
    found = (getattr(encoder, attribute, None) for attribute in SIZES)
    size = next((size for size in found if size is not None), None)
    if not (isinstance(size, int) and size > 0):
        raise ValueError(
            f"encoder {name} must say how many features it has, as feature_size; got {size!r}"
        )
    return adapt_layers(encoder, norm_layer), size


def own_encoder(name: str, channels: int) -> nn.Module:
    """What a function of one's own returns.

    Raises:
        ValueError: it raises, or returns no module.
    """
    problem = f"encoder {name} must be a function of the number of channels; it failed"
    encoder = call_own(problem, import_named(name), channels)
    if not isinstance(encoder, nn.Module):
        raise ValueError(f"encoder {name} must return a torch.nn.Module; got {encoder!r}")
    return encoder


def timm_encoder(name: str, channels: int) -> nn.Module:
    """timm's model of that name without its classifier, with random weights.

    Raises:
        ValueError: timm is not installed or has no such model.
    """
    try:
        import timm
    except ImportError:
        raise ValueError(f"encoder {name} needs timm: pip install timm") from None
    short = name.removeprefix(TIMM)
    if not timm.is_model(short):
        near = ", ".join(timm.list_models(f"{short[:4]}*")[:5]) or "none begins like it"
        raise ValueError(f"encoder {name} must name a model of timm; there is none ({near})")
    options: dict[str, Any] = {"pretrained": False, "num_classes": 0, "in_chans": channels}
    try:
        return timm.create_model(short, **options, dynamic_img_size=True)  # of vision transformers
    except TypeError:
        return timm.create_model(short, **options)


def adapt_layers(module: nn.Module, norm_layer: Callable[[int], nn.Module]) -> nn.Module:
    """The module with batch norm of our kind, and convolutions that keep to safe kernels.

    The state of each layer stays as it is.

    Raises:
        ValueError: a batch norm averages its statistics over all batches, which ours does not.
    """
    for name, child in module.named_children():
        if is_batch_norm(child) and child.affine and child.track_running_stats:
            if child.momentum is None:
                raise ValueError("an encoder's batch norm must have a momentum; one has None")
            norm: Any = norm_layer(child.num_features)
            norm.load_state_dict(child.state_dict())
            norm.eps, norm.momentum = child.eps, child.momentum
            if type(child) is not nn.BatchNorm2d:
                norm.drop, norm.act = child.drop, child.act
                norm.register_forward_hook(drop_and_activate)
            setattr(module, name, norm)
        elif type(child) is nn.Conv2d:
            child.__class__ = SmallMapConv2d
        else:
            adapt_layers(child, norm_layer)
    return module


def is_batch_norm(module: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    """Whether a layer is torch's BatchNorm2d, or timm's with dropout and activation after it."""
    return type(module) is nn.BatchNorm2d or type(module).__name__ == "BatchNormAct2d"


def drop_and_activate(norm: Any, inputs: tuple[Tensor, ...], normalised: Tensor) -> Tensor:
    """What timm's BatchNormAct2d does after its batch norm."""
    return norm.act(norm.drop(normalised))
