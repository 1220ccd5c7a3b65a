"""What a reader should use, as far as the study shows it, and the command that does so."""

import shlex
from itertools import pairwise
from typing import Any, NamedTuple

from study.analysis.gates.claim_gates import floor_gain, has_learned
from study.analysis.results import Results
from study.design.plan import Plan, Point
from study.design.space import Arm
from study.design.stages import is_finished
from study.report.wording import format_level
from study.store.study_file import About
from study.text import count_words, format_short, join_words


class Advice(NamedTuple):
    """What to use."""

    words: str
    command: str  # that trains so; empty where the trainer has none


def advise(results: Results, about: About) -> Advice | None:
    """The best arm at the setting that its searches chose; None before the end, or without one.

    Nothing is advised where an arm is derived from another's runs, where one is searched
    adaptively, or where no arm ends above the floor.
    """
    plan, ranking = results.plan, results.ranking
    if plan.given or ranking is None or not is_finished(plan, results.final):
        return None
    if plan.space.explore is not None or any(arm.of for arm in plan.space.arms):
        return None
    best = ranking.best.arm
    if not (ranking.level or ranking.worse):
        return None
    if words := floor_words(results, best):
        return Advice(words, "")
    same = [setting_words(results, one.arm) for one in ranking.level]
    others = f"; {join_words(same)} cannot be told apart from it" if same else ""
    if same and not ranking.can_tell:
        pairs, count = count_words(plan.pairs, plan.unit("final")), ranking.size
        others += f" ({pairs} are too few to tell {count} apart)"
    point = results.chosen_point(best) or {}
    return Advice(
        f"{setting_words(results, best)}{others}.", command_words(plan, best, point, about)
    )


def floor_words(results: Results, best: Arm) -> str:
    """That the best arm does not end above the floor; empty where it does, or there is none."""
    plan, metric = results.plan, results.plan.space.primary
    floor = results.values(plan.space.floor, "control", metric)
    gain = floor_gain(results, best.name, metric)
    if not gain.n or has_learned(results, gain, metric):
        return ""
    title = plan.title(plan.space.floor).lower()
    level = sum(floor.values()) / len(floor)
    mean = next(one.mean for one in results.arms if one.arm is best)
    return (
        f"None of them yet: the best ends at {format_level(mean, metric)}, {title} at "
        f"{format_level(level, metric)}, and this is no gain beyond their noise. Train longer, or "
        "on more images."
    )


def setting_words(results: Results, arm: Arm) -> str:
    """An arm and the middle of what its searches chose."""
    point = results.chosen_point(arm) if results.plan.tuned(arm) else None
    if not point:
        return arm.title
    values = join_words([f"{name} {format_short(value)}" for name, value in point.items()])
    return f"{arm.title} at {values}"


def command_words(plan: Plan, arm: Arm, point: Point, about: About) -> str:
    """The command that runs one trial so, with what is not its default."""
    words = plan.words
    if not words.command:
        return ""
    config = plan.config(arm, "final", point or None)
    left_out = {"seed", *words.inputs, *words.set_by_study}
    options = [
        text
        for name, value in config.items()
        if name not in left_out and name in words.defaults and value != words.defaults[name]
        for text in (f"--{name.replace('_', '-')}", format_value(value))
    ]
    data = ["--dataset", dataset_of(about) or plan.data.name] if plan.data.name else []
    of_arm = [name for name in words.set_by_study if name in arm.values and name in words.defaults]
    own = [
        text
        for name in of_arm
        if config.get(name) != words.defaults[name]
        for text in (f"--{name.replace('_', '-')}", format_value(config[name]))
    ]
    return f"{words.command} {shlex.join([*data, *own, *options])}"


def format_value(value: Any) -> str:
    """A value as the command takes it."""
    return format_short(value) if isinstance(value, float) and value else str(value)


def dataset_of(about: About) -> str:
    """The place of the data as the study's command named it; empty where it did not."""
    for name, following in pairwise([*about.command, ""]):
        if name == "--dataset":
            return following
        if name.startswith("--dataset="):
            return name.partition("=")[2]
    return ""
