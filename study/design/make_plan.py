"""A plan from a space and a command: which arms, which fields, and what the command may not set."""

import json
from dataclasses import replace
from typing import Any

from study.design.arms import central_arms
from study.design.facts import DataFacts
from study.design.plan import SEEDS_A_SEARCH, Fields, Plan, PointSource, with_pairs
from study.design.space import Arm, Profile, Space
from study.design.trainer import Prepared
from study.design.words import Words
from study.errors import StudyError

MOST_TRIALS = 1_000
MOST_SEEDS = {"replica": 20, "confirm": 80, "final": 1000}  # so that no two stages share one
MOST_SEARCHES = 1000


def make_plan(
    *,
    space: Space,
    profile: str,
    sizes: Profile,
    overrides: Fields,
    prepared: Prepared,
    propose: PointSource,
    workers: int = 1,
) -> Plan:
    """The plan of a space, its arms as `select_arms` gives them, at the sizes of a profile.

    Args:
        overrides: fields that the command sets; neither an arm's own field nor a tuned one.
        prepared: what the trainer found here.
        propose: the source of an even search's points.

    Raises:
        StudyError: a field is unknown, of the wrong type, or not free, or two arms are one.
    """
    check_sizes(sizes)
    words = Words.of(space.trainer.words)
    own = {k: v for k, v in prepared.fields.items() if k not in words.set_by_study}
    overrides = {**overrides, **own}
    check_overrides(space, overrides, sizes)
    proposed = {k: v for k, v in prepared.proposed.items() if k not in overrides}
    shared = {**shared_fields(space, sizes, {**proposed, **overrides}), **prepared.fields}
    if words.begins_from in prepared.found.get(space.floor, ()):  # as all trials do
        space = retitle_floor(space)
    try:
        plan = Plan(
            space=space, profile=profile, sizes=sizes, base=space.trainer.complete(shared),
            overrides=overrides, data=DataFacts.of(prepared.data), workers=workers,
            absent=dict(prepared.absent),
            found=dict(prepared.found), words=words, propose=propose,
        )  # fmt: skip
        for stage in space.stages:
            for arm in space.arms:
                space.trainer.complete(plan.config(arm, stage))
        for control in space.controls:
            space.trainer.complete(plan.config(control, "control"))
    except ValueError as error:
        raise StudyError(str(error)) from None
    check_arms_differ(plan)
    return plan


def retitle_floor(space: Space) -> Space:
    """The space with its untrained control named for what it is where a file of weights is read."""
    controls = (
        replace(one, title="As loaded") if one.name == space.floor else one
        for one in space.controls
    )
    return replace(space, controls=tuple(controls))


def check_sizes(sizes: Profile) -> None:
    """Check that a study is not too large, up to the last of its planned analyses.

    Raises:
        StudyError: it is; the message names the limit.
    """
    counts = {name: value for name, value in vars(sizes).items() if isinstance(value, int)}
    if negative := [name for name, count in counts.items() if count < 0]:
        raise StudyError(f"{negative[0]} must be 0 or more; got {counts[negative[0]]}")
    sizes = with_pairs(sizes, max(sizes.looks, default=sizes.pairs))
    most_final = SEEDS_A_SEARCH - 1 if sizes.repeats else MOST_SEEDS["final"]
    for stage, most in {**MOST_SEEDS, "final": most_final}.items():
        if (count := getattr(sizes, f"{stage}_seeds")) > most:
            raise StudyError(
                f"the {stage} stage takes at most {most} seeds, so that no two stages share one; "
                f"got {count}"
            )
    if sizes.searches > MOST_SEARCHES:
        raise StudyError(
            f"a study takes at most {MOST_SEARCHES:,} searches an arm; got {sizes.searches:,}"
        )
    if sizes.search_trials > MOST_TRIALS:
        raise StudyError(
            f"a search takes at most {MOST_TRIALS:,} trials an arm; got {sizes.search_trials:,}"
        )


def shared_fields(space: Space, sizes: Profile, overrides: Fields) -> Fields:
    """What all trials have in common before the trainer completes it."""
    everywhere = {k: v for k, v in overrides.items() if k != "arms" and k not in sizes.final}
    return {**space.fixed, **sizes.values, **everywhere}


def check_arms_differ(plan: Plan) -> None:
    """Check that no two arms or controls are one: only one of them would be run.

    Raises:
        StudyError: --set made them so.
    """
    seen: dict[str, Arm] = {}
    for arm in (*plan.running, *plan.space.controls) if plan.space.explore is None else ():
        config = json.dumps(plan.space.trainer.canonical(plan.config(arm)), sort_keys=True)
        if (twin := seen.setdefault(config, arm)) is not arm:
            raise StudyError(
                f"--set must leave the arms apart; with it {twin.title} and {arm.title} are the "
                "same. Leave one out by --set arms"
            )


def check_overrides(space: Space, overrides: Fields, sizes: Profile) -> None:
    """Check that the command sets no field which the study sets.

    Fields of arms on which the primary claim does not rest may be set, those arms keep their own;
    and so may sizes of the final stage.

    Raises:
        StudyError: it sets a field of a stage, of a search, or of an arm of the primary claim.
    """
    if empty := [name for name in overrides if name in sizes.final and overrides[name] == 0]:
        raise StudyError(f"--set {empty[0]} must be above 0: the final stage measures by it; got 0")
    central = central_arms(space)
    central |= {arm.of for arm in space.arms if arm.name in central}
    taken = {"seed", *Words.of(space.trainer.words).set_by_study}
    taken |= {name for fields in space.stages.values() for name in fields} - set(sizes.final)
    for arm in space.arms:
        taken |= {*arm.search, *(arm.values if arm.name in central else ())}
    taken |= set(space.explore.search) if space.explore else set()
    if wrong := [name for name in overrides if name in taken]:
        raise StudyError(
            f"--set {wrong[0]} is not free: the study itself sets it for each arm, stage, trial or "
            "command"
        )


def split_warning(space: Space) -> str:
    """A sentence if no field tells the runs that choose from those that are scored, or empty."""
    chooses = space.explore is not None or any(arm.search for arm in space.arms)
    search, final = space.stages.get("search", {}), space.stages.get("final", {})
    if not chooses or any(search[name] != final[name] for name in search if name in final):
        return ""
    return (
        "The stages search and final set no field to different values, such as a split, so points "
        "are chosen on the data that they are scored on, and no claim can be tested."
    )


def budget_warning(space: Space, sizes: Profile) -> str:
    """A sentence if a search is too short to choose anything, or empty."""
    if sizes.search_trials != 1 or not any(arm.search for arm in space.arms):
        return ""
    return "A search of one trial chooses nothing: each arm runs at a point that was drawn for it."


def selected_profile(
    space: Space,
    name: str,
    *,
    searches: int | None = None,
    trials: int | None = None,
    seeds: int | None = None,
) -> Profile:
    """The sizes of a profile with the command's budget.

    Raises:
        StudyError: the space has no such profile, or a budget is below 1.
    """
    if name not in space.profiles:
        raise StudyError(f"{space.name} has the profiles {', '.join(space.profiles)}; got {name!r}")
    sizes = space.profiles[name]
    if trials is not None and not sizes.search_trials:
        raise StudyError(
            f"--trials is for spaces that search; {space.name} tunes nothing for an arm, "
            "give --seeds"
        )
    if searches is not None and sizes.searches == 1:
        raise StudyError(
            f"--searches is for spaces that repeat their search; {space.name} does not, give "
            "--seeds"
        )
    least = {"--searches": 2, "--trials": 1, "--seeds": 1}
    for option, count in zip(least, (searches, trials, seeds), strict=True):
        if count is not None and count < least[option]:
            raise StudyError(f"{option} must be {least[option]} or more; got {count}")
    return replace(
        sizes,
        searches=searches or sizes.searches,
        search_trials=trials or sizes.search_trials,
        final_seeds=seeds or sizes.final_seeds,
    )


def parse_overrides(pairs: tuple[str, ...]) -> dict[str, Any]:
    """The fields of --set KEY=VALUE; a value that is not JSON is a word.

    Raises:
        StudyError: a pair has no equals sign.
    """
    fields: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise StudyError(f"--set takes KEY=VALUE; got {pair!r}")
        if name in fields:
            raise StudyError(f"--set takes each field once; got {name} twice")
        try:
            fields[name] = json.loads(text)
        except (ValueError, RecursionError):
            fields[name] = text
    if not isinstance(fields.get("arms", "all"), str) or fields.get("arms") == "":
        raise StudyError(f"--set arms takes names joined by commas, or all; got {fields['arms']!r}")
    return fields
