"""Optimizers as arms, and a study of any of them: `optimizer_space`."""

from moco.own_code import is_own
from moco.trainer.trainer import MOCO
from moco.training.optimizers import OPTIMIZERS, OptimizerSpec, optimizer_spec
from search_spaces._sizes import (
    COLLAPSE,
    CONTROLS,
    FULL,
    KNN,
    LOSS,
    NOTES,
    PROBE,
    QUICK,
    SMALL,
    STAGES,
    UNTRAINED,
)
from study.design.ranges import LogRange
from study.design.space import Arm, Claim, OwnArm, Profile, Space

FIXED = {
    "encoder": "resnet18",
    "stem": "small",
    "head": "mlp",
    "momentum": 0.9,  # where the optimizer has one
    "weight_decay": 1e-4,
    "key_momentum": 0.99,
    "temperature": 0.2,
    "schedule": "cosine",
}

THREATS = (
    "Only the learning rate is tuned. Momentum {momentum:g} is fixed where an optimizer has one; what others have in its place, as Adam’s β₁, the fairness ledger says.",
    "Weight decay is {weight_decay:g} where an optimizer takes it, as L2 in the gradient or decoupled; under an adaptive step the same number decays less. The ledger says which.",
)


TITLES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop"}


def arm(
    name: str,
    title: str,
    low: float,
    high: float,
    *,
    in_report: bool = True,
    optional: bool = False,
    plain: bool = False,
) -> Arm:
    """An optimizer with the learning-rate range that is searched for it; `plain`: without momentum."""
    row = OPTIMIZERS[name]
    momentum = "0" if plain else "{momentum:g}" if row.momentum == "momentum" else row.momentum
    ledger = {"Momentum": momentum, "Weight decay": decay_words(row)}
    values = {"optimizer": name, **({"momentum": 0.0} if plain else {})}
    own = f"{name}-plain" if plain else name
    return Arm(
        own,
        title,
        values,
        {"lr": LogRange(low, high)},
        {"lr": row.default_lr},
        in_report,
        ledger,
        optional=optional,
    )


def decay_words(row: OptimizerSpec) -> str:
    """How an optimizer decays weights, for the fairness ledger."""
    return "none" if row.decay == "none" else "{weight_decay:g}, " + row.decay


def own_arm(name: str, optimizer: str, span: LogRange) -> OwnArm:
    """An optimizer of one's own, `module:class`, with the claim that it beats SGD.

    Its default is that of its class, or the middle of its range where it has none there.
    """
    row = optimizer_spec(optimizer)
    title = optimizer.rpartition(":")[2]
    momentum = "{momentum:g}" if row.momentum == "momentum" else row.momentum
    ledger = {"Momentum": momentum, "Weight decay": decay_words(row)}
    usual = row.default_lr if span.low <= row.default_lr <= span.high else span.middle
    arm = Arm(
        name,
        title,
        {"optimizer": optimizer},
        {"lr": span},
        {"lr": usual},
        in_report=False,
        ledger=ledger,
        asked=optimizer,
    )
    words = f"{title} reaches a higher probe accuracy than SGD"
    claim = Claim(name, name, "sgd", "probe_accuracy", "final", "family", words)
    return OwnArm(arm, (claim,))


def optimizer_space(name: str, question: str, ranges: dict[str, tuple[float, float]]) -> Space:
    """A study of optimizers for MoCo: does the first of them beat the others?

    Args:
        name: of the study, and of its folder.
        question: as the page asks it.
        ranges: lowest and highest learning rate that is searched, by the optimizer's name, as "adam"
            or `my_module:Mine`; the first is claimed to beat each of the others, the second first.

    Raises:
        ValueError: there are fewer than two optimizers.
    """
    if len(ranges) < 2:
        raise ValueError(
            f"ranges must be of two optimizers or more; got {', '.join(ranges) or 'none'}"
        )
    arms = [
        own_arm(one.rpartition(":")[2].lower(), one, LogRange(low, high)).arm
        if is_own(one)
        else arm(one, TITLES.get(one, one.capitalize()), low, high, in_report=False)
        for one, (low, high) in ranges.items()
    ]
    first, others = arms[0], arms[1:]
    words = "{} reaches a higher probe accuracy than {}"
    claims = [
        Claim(
            other.name,
            first.name,
            other.name,
            "probe_accuracy",
            "final",
            "family" if i else "primary",
            words.format(first.title, other.title),
        )
        for i, other in enumerate(others)
    ]
    sizes = {
        "quick": ("shapes", QUICK, 6, 3),
        "small": ("cifar10", SMALL, 8, 4),
        "full": ("cifar10", FULL, 8, 5),
    }
    return Space(
        name=name,
        question=question,
        scientific="optimizer",
        reference=others[0].name,
        arms=tuple(arms),
        fixed=FIXED,
        stages={stage: fields for stage, fields in STAGES.items() if stage != "replica"},
        metrics=(PROBE, LOSS, KNN),
        collapse=COLLAPSE,
        claims=tuple(claims),
        profiles={
            profile: Profile(
                dataset,
                values,
                searches=searches,
                search_trials=trials,
                added_trials=2,
                final_seeds=1,
                note=NOTES[profile],
            )
            for profile, (dataset, values, searches, trials) in sizes.items()
        },
        trainer=MOCO,
        controls=CONTROLS,
        floor=UNTRAINED.name,
        own_arm=own_arm,
        threats=THREATS,
    )
