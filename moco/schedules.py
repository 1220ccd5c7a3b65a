"""Schedules of the learning rate and of the key momentum.

`progress` is the completed share of a run, in [0, 1].
"""

import math
from collections.abc import Callable


def cosine(progress: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov & Hutter 2017, without restarts)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def constant(progress: float) -> float:
    """1 throughout."""
    return 1.0


def step_decay(progress: float) -> float:
    """0.1 after 60 % and 0.01 after 80 %: MoCo v1's epochs 120 and 160 of 200."""
    return 0.1 ** ((progress >= 0.6) + (progress >= 0.8))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": cosine,
    "constant": constant,
    "steps": step_decay,
}


def lr_factor(schedule: str, step: int, total_steps: int, warmup_steps: int) -> float:
    """The learning rate of a step, counted from 0, as a share of the peak learning rate; above 0.

    Linear warm-up first, then the schedule over the remaining steps. The last step has not yet
    reached the schedule's end.
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    return SCHEDULES[schedule]((step - warmup_steps) / max(1, total_steps - warmup_steps))


def current_key_momentum(schedule: str, first: float, progress: float) -> float:
    """The key encoder's momentum m: constant, or from `first` to 1 by half a cosine.

    Source of the latter: Grill et al. 2020, section 3.3.
    """
    return first if schedule == "constant" else 1 - (1 - first) * cosine(progress)
