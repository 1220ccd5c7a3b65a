"""What several studies say of the same arms, and whether they can be compared at all."""

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from study.analysis.comparison import ArmStage, compare
from study.analysis.results import Results
from study.analysis.statistics import ArmDifference
from study.design.plan import Plan
from study.design.space import Metric
from study.errors import StudyError
from study.pooling.random_effects import Pooled, pool_effects
from study.report.folder import StudyFolder, read_folder
from study.store.study_file import clip_json, comparable_values, list_differences
from study.text import count_words, join_words

EXACT_DIGITS = 8
LEFT_OUT = ("space.claims", "space.reported", "space.threats", "space.profiles", "space.stages")


class Member(NamedTuple):
    """One of the studies."""

    name: str  # of its folder, made unique
    study: StudyFolder

    @property
    def results(self) -> Results:
        """Those of its records."""
        return self.study.results

    @property
    def plan(self) -> Plan:
        """Its plan."""
        return self.study.file.plan


class Effect(NamedTuple):
    """An arm against the reference in one study, in the metric's unit."""

    member: Member
    difference: ArmDifference
    error: float  # standard error of the mean, the test items' where they are covered included


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
        study = read_folder(folder)
        base, k = folder.resolve().name, 2
        name = base
        while name in [member.name for member in members]:
            name, k = f"{base} ({k})", k + 1
        members.append(Member(name, study))
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

    plans = [member.plan for member in members]
    values_of("primary metric", [plan.space.primary.title for plan in plans])
    values_of("better side", [better_side(plan.space.primary) for plan in plans])
    values_of("unit", [plan.space.primary.unit for plan in plans])
    values_of("reference", [plan.title(plan.space.reference) for plan in plans])


def better_side(metric: Metric) -> str:
    """Whether a higher or a lower value is better."""
    return "higher" if metric.higher_is_better else "lower"


def find_effects(members: Sequence[Member]) -> list[ArmEffects]:
    """Every arm that two studies have, or one, against the reference.

    Raises:
        StudyError: no study has a final result of two arms.
    """
    titles = dict.fromkeys(
        arm.title for member in members for arm in member.plan.space.arms
        if arm.name != member.plan.space.reference
    )  # fmt: skip
    asks_one_question = not question_differences(members)
    found = []
    for title in titles:
        effects = [one for member in members if (one := arm_effect(member, title)) is not None]
        if effects:
            pools = len(effects) > 1 and asks_one_question
            found.append(ArmEffects(title, effects, pool(effects) if pools else None))
    if not found:
        raise StudyError("studies that are compared must have final results; these have none yet")
    return found


def arm_effect(member: Member, title: str) -> Effect | None:
    """An arm's effect in a study; None where that has fewer than two pairs of it."""
    plan = member.plan
    names = [arm.name for arm in plan.space.arms if arm.title == title]
    if not names or names[0] == plan.space.reference:
        return None
    pair = (ArmStage(names[0], "final"), ArmStage(plan.space.reference, "final"))
    difference = compare(member.results, *pair, metric=plan.space.primary)
    if difference.n < 2:
        return None
    return Effect(member, difference, standard_error(difference))


def pool(effects: Sequence[Effect]) -> Pooled:
    """The pooled effect; test items that studies have in common are one draw, not one each."""
    data = [one.member.plan.data.fingerprint for one in effects]
    shares = [data.count(own) > 1 for own in data]
    return pool_effects(
        [one.difference.mean for one in effects],
        [
            run_error(one.difference) if shared else one.error
            for one, shared in zip(effects, shares, strict=True)
        ],
        common=max(
            one.difference.item_sd if shared else 0.0
            for one, shared in zip(effects, shares, strict=True)
        ),
    )


def standard_error(difference: ArmDifference) -> float:
    """Of the mean: of the runs, and of the test items where the interval covers them."""
    return math.hypot(run_error(difference), difference.item_sd)


def run_error(difference: ArmDifference) -> float:
    """Standard error of the mean that comes from the runs: the pairs', or Welch's."""
    if difference.is_paired:
        return difference.sd / math.sqrt(difference.n)
    return difference.unpaired_error


def question_differences(members: Sequence[Member]) -> list[str]:
    """Why nothing is pooled: the studies ask different questions, or share runs; empty: it is."""
    plans = [member.plan for member in members]
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
    runs = [runs_of(member) for member in members]
    for (one, ours), (other, theirs) in itertools.combinations(zip(members, runs, strict=True), 2):
        count, exact = len(ours & theirs), len({run for run in ours & theirs if is_exact(run)})
        # runs of tables may have one rounded number by chance, but not most of them
        given = one.plan.given and other.plan.given
        if count and (not given or exact or 2 * count > min(len(ours), len(theirs))):
            words = count_words(count, "run")
            return f"{one.name} and {other.name} have {words} of the same settings and seeds"
    return ""


def runs_of(member: Member) -> set[Any]:
    """What tells a study's runs from others: a trial's id; of given runs arm and value.

    A value of few digits is told apart by its unit too, as the seed.
    """
    plan, metric, found = member.plan, member.plan.space.primary, set()
    if not plan.given:
        return set(member.results.final)
    for run in member.results.final.values():
        own = (plan.title(run.arm), run.metric(metric.name))
        unit = plan.given.unit_name(run.seed) if plan.given.is_paired else ""
        found.add(own if is_exact(own) else (*own, unit))
    return found


def is_exact(run: Any) -> bool:
    """Whether a given run's value has so many digits that no other run has it by chance."""
    digits = f"{run[1]!r}".replace(".", "").strip("-0") if isinstance(run, tuple) else ""
    return len(digits) >= EXACT_DIGITS


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
        lines += [f"{member.name}: {line}." for line in member.study.changes]
    if reasons := question_differences(members):
        lines.append(f"Nothing is pooled: {'; '.join(reasons)}.")
    return lines


def plan_table(members: Sequence[Member]) -> list[tuple[str, list[str]]]:
    """What differs between the plans: a name, and its value in each."""
    values = [json.loads(json.dumps(comparable_values(one.plan))) for one in members]
    paths: dict[tuple[str, ...], None] = {}
    for other in values[1:]:
        for difference in list_differences(values[0], other, ()):
            name = difference.path
            if not name.startswith(LEFT_OUT):
                paths[tuple(name.split("."))] = None
    rows = [(".".join(path), [clip_json(value_at(one, path)) for one in values]) for path in paths]
    about = [
        ("data", [one.plan.data.title or one.plan.data.name for one in members]),
        ("planned", [one.study.file.about.created for one in members]),
        ("pairs", [str(one.plan.pairs) for one in members]),
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
