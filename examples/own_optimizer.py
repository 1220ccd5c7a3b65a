"""An optimizer of your own against Adam and SGD, on MoCo.

    python run_study.py --space examples/own_optimizer.py

The class is all that is yours. Alone it is also an arm of the study of the report's optimizers, and
the optimizer of one run (both from the folder of this file):

    python run_study.py --space optimizers --set arms=sgd,rmsprop,own_optimizer:Signum \\
        --range own_optimizer:Signum=1e-5..1e-2
    python -m moco --optimizer own_optimizer:Signum --lr 1e-3
"""

import torch

from search_spaces import optimizer_space


class Signum(torch.optim.Optimizer):
    """The sign of the mean gradient (Bernstein et al. 2018, algorithm 1)."""

    def __init__(self, params, lr=1e-3, momentum=0.9, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - group["momentum"])
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * mean.sign())


SPACE = optimizer_space(
    name="signum",
    question="Does Signum beat Adam and SGD for MoCo pretraining?",
    ranges={
        "own_optimizer:Signum": (1e-5, 1e-2),
        "adam": (3e-5, 3e-2),
        "sgd": (3e-3, 3.0),
    },
)
