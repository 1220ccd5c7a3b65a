"""The optimizers by name: torch's own and timm's. A new one is one row here, then one arm in each space that tunes it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import nn, optim

from moco.config import Config


class Row(NamedTuple):
    """An optimizer and what a reader of a comparison must know of it."""

    build: Callable[..., optim.Optimizer]  # of parameter groups and keyword arguments
    options: Callable[[Config], dict[str, Any]]  # the keyword arguments besides lr and weight_decay
    default_lr: float  # its library's
    decay: str  # "L2": added to the gradient; "decoupled": taken off the weight (Loshchilov & Hutter 2019)
    momentum: str  # what plays its part
    decays: str = "all"  # which parameters, where `decay_on` is auto: FAIR's MoCo decays all, layer-wise methods only weights
    vectors: dict[str, Any] = {}  # keyword arguments of their own for biases and batch norm  # noqa: RUF012
    fused: tuple[
        str, ...
    ] = ()  # kinds of device on which the library has one kernel for the whole step, two to three times as fast


def from_timm(name: str) -> Callable[..., optim.Optimizer]:
    """An optimizer of timm, which is imported only where one is asked for."""

    def build(groups: Any, **options: Any) -> optim.Optimizer:
        try:
            import timm.optim
        except ImportError:
            raise ValueError(
                f"optimizer {name.lower()} needs timm, which is not installed here: pip install timm"
            ) from None
        return getattr(timm.optim, name)(groups, **options)

    return build


def with_momentum(config: Config) -> dict[str, Any]:
    """The one option of the methods that take SGD's momentum."""
    return {"momentum": config.momentum}


def nothing(config: Config) -> dict[str, Any]:
    """No option but the library's defaults."""
    return {}


OPTIMIZERS = {
    "sgd": Row(optim.SGD, with_momentum, 1e-3, "L2", "momentum", fused=("cpu", "cuda")),
    "nesterov": Row(
        optim.SGD,
        lambda c: {"momentum": c.momentum, "nesterov": True},
        1e-3,
        "L2",
        "momentum",
        fused=("cpu", "cuda"),
    ),
    "adam": Row(optim.Adam, nothing, 1e-3, "L2", "β₁ 0.9", fused=("cpu", "cuda")),
    "adamw": Row(optim.AdamW, nothing, 1e-3, "decoupled", "β₁ 0.9", fused=("cpu", "cuda")),
    "nadam": Row(optim.NAdam, nothing, 2e-3, "L2", "β₁ 0.9"),
    "nadamw": Row(
        optim.NAdam, lambda c: {"decoupled_weight_decay": True}, 2e-3, "decoupled", "β₁ 0.9"
    ),
    "radam": Row(optim.RAdam, nothing, 1e-3, "L2", "β₁ 0.9"),
    "radamw": Row(
        optim.RAdam, lambda c: {"decoupled_weight_decay": True}, 1e-3, "decoupled", "β₁ 0.9"
    ),
    "adamax": Row(optim.Adamax, nothing, 2e-3, "L2", "β₁ 0.9"),
    "adagrad": Row(optim.Adagrad, nothing, 1e-2, "L2", "none", fused=("cpu",)),
    "adadelta": Row(optim.Adadelta, nothing, 1.0, "L2", "none"),
    "adafactor": Row(optim.Adafactor, nothing, 1e-2, "decoupled", "none"),
    "rmsprop": Row(optim.RMSprop, with_momentum, 1e-2, "L2", "momentum"),
    # You et al. 2017, trust coefficient 0.001; vectors take SGD's step, as in MoCo v3
    "lars": Row(
        from_timm("Lars"),
        lambda c: {**with_momentum(c), "always_adapt": True},
        1.0,
        "L2",
        "momentum",
        "weights",
        {"always_adapt": False},
    ),
    # You et al. 2020, with the gradient clipped to norm 1 as in NVIDIA's
    "lamb": Row(
        from_timm("Lamb"),
        lambda c: {"decoupled_decay": True},
        1e-3,
        "decoupled",
        "β₁ 0.9",
        "weights",
    ),
    # Chen et al. 2023
    "lion": Row(from_timm("Lion"), nothing, 1e-4, "decoupled", "β₁ 0.9"),
    # Jordan 2024: a convolution's weights as one matrix a layer, updates scaled to AdamW's (Liu et al. 2025); vectors are AdamW's own
    "muon": Row(
        from_timm("Muon"),
        with_momentum,
        2e-2,
        "decoupled",
        "momentum; β₁ 0.9 for vectors",
        "weights",
        {"use_fallback": True},
    ),
}


def build_optimizer(config: Config, model: nn.Module) -> optim.Optimizer:
    """The config's optimizer over all parameters of a model, each in exactly one group: weights (two or more dimensions), then vectors.

    Raises:
        ValueError: no row has that name, or its library is not installed.
    """
    row = row_of(config.optimizer)
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    decay = {"weight_decay": config.weight_decay if decay_on(config) == "all" else 0.0}
    groups = [{"params": weights}, {"params": vectors, **decay, **row.vectors}]
    fused = {"fused": True} if next(model.parameters()).device.type in row.fused else {}
    try:
        return row.build(
            groups, lr=config.lr, weight_decay=config.weight_decay, **row.options(config), **fused
        )
    except ValueError as error:
        raise ValueError(
            f"optimizer {config.optimizer} does not take these fields: {error}"
        ) from None


def row_of(name: str) -> Row:
    """The row of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}; got {name!r}")
    return OPTIMIZERS[name]


def decay_on(config: Config) -> str:
    """Which parameters decay: all, or weights."""
    return config.decay_on if config.decay_on != "auto" else row_of(config.optimizer).decays
