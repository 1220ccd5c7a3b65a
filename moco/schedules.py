"""Schedules: the share of the peak learning rate at a step, in [0, 1], and the key momentum."""

import math
from collections.abc import Callable


def cosine(progress: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov & Hutter 2017, without restarts)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def constant(progress: float) -> float:
    """The peak rate throughout."""
    return 1.0


def steps(progress: float) -> float:
    """A tenth after 60 %, a hundredth after 80 %: MoCo v1's 120 and 160 of 200 epochs."""
    return 0.1 ** ((progress >= 0.6) + (progress >= 0.8))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": cosine,
    "constant": constant,
    "steps": steps,
}


def share_of_peak(schedule: str, step: int, steps_in_all: int, warmup_steps: int) -> float:
    """The share at a step counted from 0: linear up over the warm-up, then the schedule over what is left. No step has rate 0."""
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    return SCHEDULES[schedule]((step - warmup_steps) / max(1, steps_in_all - warmup_steps))


def key_momentum(schedule: str, first: float, progress: float) -> float:
    """The key encoder's momentum at a share of the run: constant, or by half a cosine from `first` to 1 (Grill et al. 2020, section 3.3)."""
    return first if schedule == "constant" else 1 - (1 - first) * cosine(progress)
