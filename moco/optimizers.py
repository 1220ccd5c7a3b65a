"""The optimizers by name: torch's own. A new one is one row here, then one arm in each space that tunes it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import optim

from moco.config import Config


class Row(NamedTuple):
    """An optimizer and what a reader of a comparison must know of it."""

    build: Callable[..., optim.Optimizer]  # of parameters and keyword arguments
    options: Callable[[Config], dict[str, Any]]  # the keyword arguments besides lr and weight_decay
    default_lr: float  # torch's
    decay: str  # "L2": added to the gradient; "decoupled": taken off the weight (Loshchilov & Hutter 2019)
    momentum: str  # what plays its part


OPTIMIZERS = {
    "sgd": Row(optim.SGD, lambda c: {"momentum": c.momentum}, 1e-3, "L2", "momentum"),
    "adam": Row(optim.Adam, lambda c: {}, 1e-3, "L2", "β₁ 0.9"),
    "adamw": Row(optim.AdamW, lambda c: {}, 1e-3, "decoupled", "β₁ 0.9"),
    "adagrad": Row(optim.Adagrad, lambda c: {}, 1e-2, "L2", "none"),
    "rmsprop": Row(optim.RMSprop, lambda c: {"momentum": c.momentum}, 1e-2, "L2", "momentum"),
}


def build_optimizer(config: Config, parameters: list[torch.nn.Parameter]) -> optim.Optimizer:
    """The config's optimizer over all these parameters; all of them decay, biases and batch norm included, as in FAIR's MoCo.

    Raises:
        ValueError: no row has that name.
    """
    if config.optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}; got {config.optimizer!r}")
    row = OPTIMIZERS[config.optimizer]
    return row.build(parameters, lr=config.lr, weight_decay=config.weight_decay, **row.options(config))
