"""From a command to a plan: the space's arms, the sizes, the data, and what it will cost."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from study.analysis.forecast import Estimate
from study.analysis.ranking import pairs_to_rank
from study.design.arms import absent_sentences, leave_report_out, parse_ranges, select_arms
from study.design.make_plan import (
    budget_warning,
    make_plan,
    parse_overrides,
    selected_profile,
    shared_fields,
    split_warning,
)
from study.design.plan import Plan, asks_generally, no_points, until_decided, with_pairs
from study.design.space import Profile, Space
from study.design.trainer import Prepared, Request
from study.errors import StudyError, first_line
from study.options import Options
from study.store.directory import check_folder, default_folder, is_begun, local_folder
from study.store.environment import cores, trials_on_gpu
from study.store.study_file import read_study
from study.text import plural


class Planned(NamedTuple):
    """A study that can begin."""

    plan: Plan
    prepared: Prepared
    folder: Path
    options: Options
    on_demand: tuple[str, ...] = ()  # names of the arms that it leaves out


def plan_study(space: Space, options: Options) -> Planned:
    """The plan of a space, with what its trials need on this machine; prints what it finds.

    Raises:
        StudyError: the options or the data are wrong.
    """
    from study.search.quasi_random import sobol_points  # Optuna, which a run of trials needs not

    profile = choose_profile(space, options)
    sizes, folder, before = sizes_and_folder(space, profile, options)
    how = "" if options.profile else " (chosen by what the machine has)"
    print(f"{space.question}\nProfile {profile}{how}: {sizes.note}.", flush=True)
    overrides = parse_overrides(options.set)
    known = [arm.name for arm in space.arms]
    space = select_arms(space, sizes, overrides, parse_ranges(options.range))
    prepared = prepare(space, options, sizes=sizes, overrides=overrides, profile=profile)
    print_data(space, sizes, prepared)
    if asks_generally(space, prepared.data) and not (options.replica or has_replica(before)):
        if sizes.replica_seeds:
            print("The report’s own setting is left out on your data; --replica runs it too.")
        space, sizes = leave_report_out(space), replace(sizes, replica_seeds=0)
    plan = make_plan(
        space=space,
        profile=profile,
        sizes=sizes,
        overrides=overrides,
        prepared=prepared,
        propose=sobol_points,
        workers=options.workers,
    )
    if plan.is_general:
        print_general_question(plan)
    chosen = {arm.name for arm in space.arms}
    on_demand = tuple(name for name in known if name not in chosen)
    return Planned(plan, prepared, folder, options, on_demand)


def prepare(
    space: Space, options: Options, *, sizes: Profile, overrides: dict[str, Any], profile: str
) -> Prepared:
    """The data and all else that the space's trainer needs on this machine.

    Raises:
        StudyError: they cannot be had, or a setting is wrong.
    """
    request = Request(
        dataset=options.dataset or sizes.dataset,
        data_dir=options.data_dir,
        shared=shared_fields(space, sizes, overrides),
        arms={arm.name: arm.values for arm in space.arms if not arm.of},
        controls={control.name: control.values for control in space.controls},
        overrides=overrides,
        varied=varied_fields(space),
        weights=options.weights,
        workers=options.workers,
        sized_for=sizes.dataset if options.dataset not in (None, sizes.dataset) else "",
        trains_here=not options.address,
        may_download=profile != "quick" and not options.plan,
    )
    try:
        return space.trainer.prepare(request)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        raise StudyError(str(error) or first_line(error)) from None


def print_data(space: Space, sizes: Profile, prepared: Prepared) -> None:
    """Say what was read, and what of it limits the study."""
    for title, *rest in prepared.data.about:
        print(f"{title}: {', '.join(filter(None, rest))}", flush=True)
    notes = [split_warning(space), budget_warning(space, sizes), *prepared.data.warnings]
    for line in [*notes, *absent_sentences(space, dict(prepared.absent))]:
        if line:
            print(f"Note: {line}", flush=True)


def print_general_question(plan: Plan) -> None:
    """Say which question the page answers first, and whether the budget can answer it."""
    print(f"On your own data the page answers first: {plan.question}", flush=True)
    if plan.pairs < (needed := pairs_to_rank(len(plan.running), plan.alpha)):
        option, unit = ("searches" if plan.repeats else "seeds"), plural(plan.unit("final"))
        arms = f"{len(plan.running)} {plural(plan.space.scientific)}"
        print(f"Note: {plan.pairs} {unit} cannot tell {arms} apart; --{option} {needed} can.")


def varied_fields(space: Space) -> frozenset[str]:
    """The fields that arms set or search, in which trials differ."""
    arms = [name for arm in space.arms for name in (*arm.values, *arm.search)]
    return frozenset([*arms, *(space.explore.search if space.explore else ())])


def choose_profile(space: Space, options: Options) -> str:
    """The profile that the command names, else the one for what the machine has.

    Raises:
        StudyError: the space has none of that name.
    """
    profile = options.profile or ("full" if space.trainer.gpus() else "quick")
    if profile not in space.profiles:
        names = ", ".join(space.profiles) or "none, for the space has none"
        raise StudyError(f"profile must be one of {names}; got {profile!r}")
    return profile


def has_replica(before: Profile | None) -> bool:
    """Whether a study that was begun runs the report's setting."""
    return before is not None and before.replica_seeds > 0


def sizes_and_folder(
    space: Space, profile: str, options: Options
) -> tuple[Profile, Path, Profile | None]:
    """The sizes as the command sets them, the study's folder here, and the sizes in it, if any."""
    sizes = selected_profile(
        space,
        profile,
        searches=options.searches,
        trials=options.search_trials,
        seeds=options.seeds,
    )
    own_data = options.dataset if options.dataset != sizes.dataset else None
    default = default_folder(space.name, profile, own_data)
    folder = local_folder(options.out) if options.out else default
    check_folder(folder)
    begun = (folder / "study.json").exists() and is_begun(folder)
    before = read_study(folder, no_points).plan.sizes if begun else None
    return sizes_of_analyses(sizes, before, options.until_decided), folder, before


def sizes_of_analyses(sizes: Profile, before: Profile | None, most: int | None) -> Profile:
    """The sizes with the analyses that are planned, given those of the folder's study, if any.

    With --until-decided MOST the study goes on where it stands, or as far as is asked for. Without
    it, a study whose last planned analysis has fewer pairs than are asked for may go beyond that
    one: what was planned stays, and the analysis of more pairs is one more.
    """
    planned = before.looks if before else ()
    if most is None:
        return replace(sizes, looks=planned) if planned and sizes.pairs > planned[-1] else sizes
    if before and planned and planned[-1] == most:
        return replace(with_pairs(sizes, max(before.pairs, sizes.pairs)), looks=planned)
    return until_decided(sizes, most)


def estimate_cost(planned: Planned) -> Estimate:
    """Seconds of a trial, the mean over the arms, and how many fit on this machine at once.

    Raises:
        StudyError: a trial cannot take a few steps here.
    """
    plan, options = planned.plan, planned.options
    trainer = plan.space.trainer
    slots = cores() // options.cores
    if (gpus := trainer.gpus()) and options.gpus != 0:
        slots = min(slots, int(gpus) * trials_on_gpu(options.gpus or 1))
    configs = [plan.config(arm, "final") for arm in plan.running]
    threads = min(options.cores, cores())  # more would only wait for each other
    try:
        seconds = trainer.estimate_seconds(configs, planned.prepared.inputs, threads)
    except (RuntimeError, MemoryError) as error:  # for want of memory, say
        raise StudyError(
            "a trial must be able to take a few steps on this machine; it cannot: "
            f"{first_line(error)}"
        ) from None
    return Estimate(math.nan if seconds is None else seconds, max(1, slots // plan.workers))
