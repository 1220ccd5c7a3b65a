"""What several studies say of the same arms, and whether they can be compared at all."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from study.analysis.comparison import ArmStage, compare
from study.analysis.results import Results
from study.analysis.statistics import ArmDifference
from study.errors import StudyError
from study.pooling.random_effects import Pooled, pool_effects
from study.search.quasi_random import sobol_points
from study.store.chain import tamper_lines
from study.store.ledger import read_records
from study.store.study_file import StudyFile, clip, comparable_values, list_differences, read_study
from study.text import count_words, join_words

LEFT_OUT = ("space.claims", "space.reported", "space.threats", "space.profiles", "space.stages")


class Member(NamedTuple):
    """One of the studies."""

    name: str  # of its folder, made unique
    folder: Path
    study: StudyFile
    results: Results


class Effect(NamedTuple):
    """An arm against the reference in one study, in the metric's unit."""

    member: Member
    difference: ArmDifference
    error: float  # standard error of the mean


class ArmEffects(NamedTuple):
    """An arm against the reference in every study that has both."""

    title: str
    effects: list[Effect]
    pooled: Pooled | None  # None of a single study, or where the studies ask different questions


def open_members(folders: Sequence[str]) -> list[Member]:
    """The studies of these folders.

    Raises:
        StudyError: there are fewer than two, or one is no study.
    """
    if len({Path(folder).resolve() for folder in folders}) < 2:
        again = "; these name one folder twice" if len(folders) > 1 else ""
        raise StudyError(f"--compare takes the folders of two or more studies{again}")
    members: list[Member] = []
    for folder in map(Path, folders):
        study = read_study(folder, sobol_points)
        base, k = folder.resolve().name, 2
        name = base
        while name in [member.name for member in members]:
            name, k = f"{base} ({k})", k + 1
        members.append(Member(name, folder, study, Results(study.plan, read_records(folder))))
    return members


def check_comparable(members: Sequence[Member]) -> None:
    """Check that the studies measure the same thing against the same reference.

    Raises:
        StudyError: metric, unit or reference differ.
    """

    def values_of(what: str, values: Sequence[str]) -> None:
        if len(set(values)) > 1:
            shown = join_words([f"{v} in {m.name}" for v, m in zip(values, members, strict=True)])
            raise StudyError(f"studies that are compared must have one {what}; it is {shown}")

    plans = [member.study.plan for member in members]
    values_of("primary metric", [plan.space.primary.title for plan in plans])
    values_of("unit", [plan.space.primary.unit for plan in plans])
    values_of("reference", [plan.title(plan.space.reference) for plan in plans])


def find_effects(members: Sequence[Member]) -> list[ArmEffects]:
    """Every arm that two studies have, or one, against the reference.

    Raises:
        StudyError: no study has a final result of two arms.
    """
    titles = dict.fromkeys(
        arm.title for member in members for arm in member.study.plan.space.arms
        if arm.name != member.study.plan.space.reference
    )  # fmt: skip
    found = []
    for title in titles:
        effects = [one for member in members if (one := arm_effect(member, title)) is not None]
        if effects:
            pools = len(effects) > 1 and not question_differences(members)
            means, errors = [one.difference.mean for one in effects], [one.error for one in effects]
            found.append(ArmEffects(title, effects, pool_effects(means, errors) if pools else None))
    if not found:
        raise StudyError("studies that are compared must have final results; these have none yet")
    return found


def arm_effect(member: Member, title: str) -> Effect | None:
    """An arm's effect in a study; None where that has fewer than two pairs of it."""
    plan = member.study.plan
    names = [arm.name for arm in plan.space.arms if arm.title == title]
    if not names or names[0] == plan.space.reference:
        return None
    pair = (ArmStage(names[0], "final"), ArmStage(plan.space.reference, "final"))
    difference = compare(member.results, *pair, metric=plan.space.primary)
    if difference.n < 2:
        return None
    return Effect(member, difference, standard_error(difference))


def standard_error(difference: ArmDifference) -> float:
    """Of the mean: of the pairs, and of the test items where the interval covers them."""
    if difference.is_paired:
        return math.hypot(difference.sd / math.sqrt(difference.n), difference.item_sd)
    return (difference.high - difference.low) / 2 / 1.96 if difference.n > 1 else math.nan


def question_differences(members: Sequence[Member]) -> list[str]:
    """Why nothing is pooled: the studies ask different questions, or share runs; empty: it is."""
    plans = [member.study.plan for member in members]
    if shared := shared_runs(members):
        return [shared]
    if any(plan.given for plan in plans):
        kinds = {plan.given is None for plan in plans}
        return ["some were run here and others elsewhere"] if len(kinds) > 1 else []
    spaces = {plan.space.name for plan in plans}
    arms: dict[str, set[str]] = {}
    for plan in plans:
        for arm in plan.space.arms:
            arms.setdefault(arm.title, set()).add(json.dumps(arm.values, sort_keys=True))
    return [
        *([f"their spaces are {join_words(sorted(spaces))}"] if len(spaces) > 1 else []),
        *(f"{title} is not the same arm in all" for title, made in arms.items() if len(made) > 1),
    ]


def shared_runs(members: Sequence[Member]) -> str:
    """Two studies with the same settings and seeds, which are no two draws; empty without such."""
    for i, one in enumerate(members):
        for other in members[i + 1 :]:
            if count := len(one.results.final.keys() & other.results.final.keys()):
                runs = count_words(count, "run")
                return f"{one.name} and {other.name} have {runs} of the same settings and seeds"
    return ""


def flags(members: Sequence[Member]) -> list[str]:
    """What a reader must weigh: unfinished studies, failed gates, changed folders."""
    lines = []
    for member in members:
        verdicts = member.results.verdicts
        failed = dict.fromkeys(
            gate.name for one in verdicts if one.claim.stage == "final" for gate in one.failed_gates
        )
        if failed:
            lines.append(f"In {member.name} gates failed: {join_words(list(failed))}.")
        lines += [
            f"{member.name}: {line}." for line in tamper_lines(member.study, member.results.records)
        ]
    if reasons := question_differences(members):
        lines.append(f"Nothing is pooled: {'; '.join(reasons)}.")
    return lines


def plan_table(members: Sequence[Member]) -> list[tuple[str, list[str]]]:
    """What differs between the plans: a name, and its value in each."""
    values = [json.loads(json.dumps(comparable_values(one.study.plan))) for one in members]
    paths: dict[tuple[str, ...], None] = {}
    for other in values[1:]:
        for difference in list_differences(values[0], other, ()):
            name = difference.path
            if not name.startswith(LEFT_OUT):
                paths[tuple(name.split("."))] = None
    rows = [(".".join(path), [clip(value_at(one, path)) for one in values]) for path in paths]
    about = [
        ("data", [one.study.plan.data.title or one.study.plan.data.name for one in members]),
        ("planned", [one.study.about.created for one in members]),
        ("pairs", [str(one.study.plan.pairs) for one in members]),
    ]
    return [*((name, cells) for name, cells in about if len(set(cells)) > 1), *rows]


def value_at(values: Any, path: Sequence[str]) -> Any:
    """The value at a path of keys; None where there is none."""
    for key in path:
        if isinstance(values, dict):
            values = values.get(key)
        elif isinstance(values, list) and key.isdigit() and int(key) < len(values):
            values = values[int(key)]
        else:
            return None
    return values
