"""The optimizers by name: torch's own, timm's, and any of one's own as module:class.

A new optimizer is one row of OPTIMIZERS, then one arm in each search space that tunes it.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from torch import nn, optim

from moco.config import Config
from moco.own_code import call_own, import_named, is_own


class OptimizerSpec(NamedTuple):
    """How to build an optimizer, and what a comparison must state about it."""

    build: Callable[..., optim.Optimizer]  # from parameter groups and keyword arguments
    options: Callable[[Config], dict[str, Any]]  # keyword arguments besides lr and weight_decay
    default_lr: float  # of its library
    # "L2": added to the gradient; "decoupled": subtracted from the weight (Loshchilov & Hutter
    # 2019)
    decay: str
    momentum: str  # "momentum": SGD's; otherwise what takes its place
    # parameters that decay where `Config.decay_on` is auto: "all", as in FAIR's MoCo, or "weights"
    # for layer-wise methods
    decay_on: str = "all"
    # further keyword arguments for biases and batch norm
    vector_options: dict[str, Any] = {}  # noqa: RUF012
    # device types on which the library computes the whole step in one kernel, 2 to 3 times as fast
    fused: tuple[str, ...] = ()


def timm_optimizer(name: str) -> Callable[..., optim.Optimizer]:
    """A function that builds timm's optimizer of that name; only its call imports timm."""

    def build(groups: Any, **options: Any) -> optim.Optimizer:
        try:
            import timm.optim
        except ImportError:
            raise ValueError(
                f"optimizer {name.lower()} needs timm, which is not installed here: "
                "pip install timm"
            ) from None
        return getattr(timm.optim, name)(groups, **options)

    return build


def momentum_option(config: Config) -> dict[str, Any]:
    """The option of methods with SGD's momentum."""
    return {"momentum": config.momentum}


def no_options(config: Config) -> dict[str, Any]:
    """No option: the library's defaults."""
    return {}


OPTIMIZERS = {
    "sgd": OptimizerSpec(
        optim.SGD,
        momentum_option,
        default_lr=1e-3,
        decay="L2",
        momentum="momentum",
        fused=("cpu", "cuda"),
    ),
    "nesterov": OptimizerSpec(
        optim.SGD,
        lambda config: {"momentum": config.momentum, "nesterov": True},
        default_lr=1e-3,
        decay="L2",
        momentum="momentum",
        fused=("cpu", "cuda"),
    ),
    "adam": OptimizerSpec(
        optim.Adam,
        no_options,
        default_lr=1e-3,
        decay="L2",
        momentum="β₁ 0.9",
        fused=("cpu", "cuda"),
    ),
    "adamw": OptimizerSpec(
        optim.AdamW,
        no_options,
        default_lr=1e-3,
        decay="decoupled",
        momentum="β₁ 0.9",
        fused=("cpu", "cuda"),
    ),
    "nadam": OptimizerSpec(optim.NAdam, no_options, default_lr=2e-3, decay="L2", momentum="β₁ 0.9"),
    "nadamw": OptimizerSpec(
        optim.NAdam,
        lambda config: {"decoupled_weight_decay": True},
        default_lr=2e-3,
        decay="decoupled",
        momentum="β₁ 0.9",
    ),
    "radam": OptimizerSpec(optim.RAdam, no_options, default_lr=1e-3, decay="L2", momentum="β₁ 0.9"),
    "radamw": OptimizerSpec(
        optim.RAdam,
        lambda config: {"decoupled_weight_decay": True},
        default_lr=1e-3,
        decay="decoupled",
        momentum="β₁ 0.9",
    ),
    "adamax": OptimizerSpec(
        optim.Adamax, no_options, default_lr=2e-3, decay="L2", momentum="β₁ 0.9"
    ),
    "adagrad": OptimizerSpec(
        optim.Adagrad, no_options, default_lr=1e-2, decay="L2", momentum="none", fused=("cpu",)
    ),
    "adadelta": OptimizerSpec(
        optim.Adadelta, no_options, default_lr=1.0, decay="L2", momentum="none"
    ),
    "adafactor": OptimizerSpec(
        optim.Adafactor, no_options, default_lr=1e-2, decay="decoupled", momentum="none"
    ),
    "rmsprop": OptimizerSpec(
        optim.RMSprop, momentum_option, default_lr=1e-2, decay="L2", momentum="momentum"
    ),
    # You et al. 2017, trust coefficient 0.001; vectors take SGD's step, as in MoCo v3
    "lars": OptimizerSpec(
        timm_optimizer("Lars"),
        lambda config: {"momentum": config.momentum, "always_adapt": True},
        default_lr=1.0,
        decay="L2",
        momentum="momentum",
        decay_on="weights",
        vector_options={"always_adapt": False},
    ),
    # You et al. 2020, but for the decay, which stays outside of the trust ratio; the gradient is
    # clipped to norm 1 as in NVIDIA's implementation; vectors take Adam's step
    "lamb": OptimizerSpec(
        timm_optimizer("Lamb"),
        lambda config: {"decoupled_decay": True, "always_adapt": True},
        default_lr=1e-3,
        decay="decoupled",
        momentum="β₁ 0.9",
        decay_on="weights",
        vector_options={"always_adapt": False},
    ),
    # Chen et al. 2023
    "lion": OptimizerSpec(
        timm_optimizer("Lion"), no_options, default_lr=1e-4, decay="decoupled", momentum="β₁ 0.9"
    ),
    # Jordan 2024: the weights of a convolution as one matrix a layer, updates scaled to AdamW's
    # (Liu et al. 2025); vectors take AdamW's step
    "muon": OptimizerSpec(
        timm_optimizer("Muon"),
        momentum_option,
        default_lr=2e-2,
        decay="decoupled",
        momentum="momentum; β₁ 0.9 for vectors",
        decay_on="weights",
        vector_options={"use_fallback": True},
    ),
}


def build_optimizer(config: Config, model: nn.Module, *, may_fuse: bool = True) -> optim.Optimizer:
    """The config's optimizer over all parameters of a model.

    Two parameter groups: weights, with two or more dimensions, then vectors.

    Args:
        config: of the trial.
        model: on its device.
        may_fuse: whether the whole step may be one kernel, where the library has one.

    Raises:
        ValueError: no optimizer has that name, its library is not installed, or it refuses a field.
    """
    spec = optimizer_spec(config.optimizer)
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    vector_decay = config.weight_decay if decayed_parameters(config) == "all" else 0.0
    groups = [
        {"params": weights},
        {"params": vectors, "weight_decay": vector_decay, **spec.vector_options},
    ]
    options = spec.options(config)
    if may_fuse and next(model.parameters()).device.type in spec.fused:
        options = {**options, "fused": True}
    try:
        return spec.build(groups, lr=config.lr, weight_decay=config.weight_decay, **options)
    except ValueError as error:
        if is_own(config.optimizer):  # it speaks for itself
            raise
        raise ValueError(
            f"optimizer {config.optimizer} does not take these fields: {error}"
        ) from None


def optimizer_spec(name: str) -> OptimizerSpec:
    """The row of OPTIMIZERS with that name, or one for a class of one's own.

    Raises:
        ValueError: there is none.
    """
    if is_own(name):
        return own_optimizer(name)
    if name not in OPTIMIZERS:
        raise ValueError(
            f"optimizer must be one of {', '.join(OPTIMIZERS)}, or module:class of one "
            f"of your own; got {name!r}"
        )
    return OPTIMIZERS[name]


def own_optimizer(name: str) -> OptimizerSpec:
    """A row for an optimizer of one's own, by what its class takes.

    It is given lr, and weight_decay and momentum if it has arguments of these names.

    Raises:
        ValueError: the name is not that of a torch.optim.Optimizer, or it takes no lr.
    """
    own: Any = import_named(name)
    shown = f"the class {own.__name__}" if inspect.isclass(own) else repr(own)[:60]
    if not (inspect.isclass(own) and issubclass(own, optim.Optimizer)):
        raise ValueError(f"optimizer {name} must be a torch.optim.Optimizer; got {shown}")
    make: Callable[..., optim.Optimizer] = own
    takes = inspect.signature(make).parameters
    if "lr" not in takes:
        raise ValueError(f"optimizer {name} must take lr; it takes {', '.join(takes) or 'nothing'}")

    def build(groups: Any, *, weight_decay: float, **options: Any) -> optim.Optimizer:
        problem = f"optimizer {name} must take parameter groups and its options; it failed"
        if "weight_decay" in takes:
            options["weight_decay"] = weight_decay
        else:
            groups = [{"params": group["params"]} for group in groups]
        return call_own(problem, partial(make, groups, **options))

    default = takes["lr"].default
    return OptimizerSpec(
        build,
        momentum_option if "momentum" in takes else no_options,
        default_lr=default if isinstance(default, float) else 1e-3,
        decay="as its class has it" if "weight_decay" in takes else "none",
        momentum="momentum" if "momentum" in takes else "as its class has it",
    )


def decayed_parameters(config: Config) -> str:
    """Which parameters decay: "all", or "weights"."""
    if config.decay_on != "auto":
        return config.decay_on
    return optimizer_spec(config.optimizer).decay_on
