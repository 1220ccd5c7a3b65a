"""What the command does, for programs: plan, run, redraw, and run trials elsewhere.

Ray is imported only where trials run, the trainer's library only by the trainer.
"""

import math
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from study.analysis.forecast import Estimate, describe_plan, forecast_lines
from study.analysis.results import Results
from study.design.make_plan import (
    absent_sentences,
    make_plan,
    parse_overrides,
    parse_ranges,
    select_arms,
    selected_profile,
    shared_fields,
    split_warning,
)
from study.design.plan import Plan, next_look, no_points, until_decided, with_pairs
from study.design.record import final_records
from study.design.space import Profile, Space
from study.design.stages import due_trials, is_finished
from study.design.trainer import Prepared, Request
from study.errors import StudyError
from study.options import Options
from study.store.directory import (
    address_of,
    default_folder,
    is_begun,
    local_folder,
    open_study,
    preview_plan,
    report_folder,
)
from study.store.environment import commit, cores, now, versions
from study.store.exchange import ExportedTrial, adopt_records, export_trials
from study.store.ledger import Ledger, read_records
from study.store.remote import RemoteFolder
from study.store.study_file import About, count_early_finals, read_study
from study.text import plural

SOURCE = Path(__file__).resolve().parents[1]
UNFINISHED = "Finished trials are saved; run the same command to continue."


class Planned(NamedTuple):
    """A study that can begin."""

    plan: Plan
    prepared: Prepared
    folder: Path
    options: Options
    on_demand: tuple[str, ...] = ()  # names of the arms that it leaves out


def run_study(space: Space, options: Options) -> int:
    """Plan, and unless only the plan is wanted run what is missing and report; the exit code.

    Raises:
        StudyError: the command, the data or the folder is wrong.
    """
    address = address_of(options.out)
    remote = RemoteFolder(address, local_folder(options.out)) if options.out and address else None
    if remote:
        remote.pull()  # before the plan: it goes on where the folder's study is
    planned = plan_study(space, options)
    try:
        return show_plan(planned) if options.plan else run_planned(planned)
    finally:
        if remote:
            remote.push()


def plan_study(space: Space, options: Options) -> Planned:
    """The plan of a space, with what its trials need on this machine.

    Raises:
        StudyError: the options or the data are wrong.
    """
    from study.search.quasi_random import sobol_points  # Optuna, which a run of trials needs not

    profile = options.profile or ("full" if space.trainer.gpus() else "quick")
    sizes, folder = sizes_and_folder(space, profile, options)
    how = "" if options.profile else " (chosen by what the machine has)"
    print(f"{space.question}\nProfile {profile}{how}: {sizes.note}.", flush=True)
    overrides = parse_overrides(options.set)
    known = [arm.name for arm in space.arms]
    space = select_arms(space, sizes, overrides, parse_ranges(options.range))
    request = Request(
        dataset=options.dataset or sizes.dataset,
        data_dir=options.data_dir,
        shared=shared_fields(space, sizes, overrides),
        arms={arm.name: arm.values for arm in space.arms if not arm.of},
        controls={control.name: control.values for control in space.controls},
        overrides=overrides,
        weights=options.weights,
        workers=options.workers,
        trains_here=not options.address,
        may_download=profile != "quick" and not options.plan,
    )
    try:
        prepared = space.trainer.prepare(request)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        raise StudyError(str(error)) from None
    for title, *rest in prepared.data.about:
        print(f"{title}: {', '.join(filter(None, rest))}", flush=True)
    notes = [split_warning(space), *prepared.data.warnings]
    for line in [*notes, *absent_sentences(space, dict(prepared.absent))]:
        if line:
            print(f"Note: {line}", flush=True)
    plan = make_plan(
        space=space,
        profile=profile,
        sizes=sizes,
        overrides=overrides,
        prepared=prepared,
        propose=sobol_points,
        workers=options.workers,
    )
    chosen = {arm.name for arm in space.arms}
    on_demand = tuple(name for name in known if name not in chosen)
    return Planned(plan, prepared, folder, options, on_demand)


def sizes_and_folder(space: Space, profile: str, options: Options) -> tuple[Profile, Path]:
    """The sizes as the command sets them, and the study's folder on this machine."""
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
    begun = (folder / "study.json").exists() and is_begun(folder)
    before = read_study(folder, no_points).plan.sizes if begun else None
    return sizes_of_analyses(sizes, before, options.until_decided), folder


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


def show_plan(planned: Planned) -> int:
    """Print what would be run, and with --out leave it there as data."""
    plan, options = planned.plan, planned.options
    if not (options.out or options.adopt):
        plan, begun = preview_plan(planned.folder, plan)
        records = read_records(planned.folder) if begun else []
        print(describe_plan(Results(plan, records), estimate_cost(planned), planned.on_demand))
        return 0
    return leave_plan(planned)


def leave_plan(planned: Planned) -> int:
    """Leave the plan and the trials that can run now in the folder, with what is adopted."""
    further: Planned | None = planned
    while further:
        planned, options = further, further.options
        plan, ledger = open_planned(planned)
        with closing(ledger):
            ended = is_finished(plan, final_records(ledger.records))
            further = next_analysis(planned) if ended else None
            if further is None:
                results = Results(plan, ledger.records)
                print(describe_plan(results, estimate_cost(planned), planned.on_demand))
                path, count = export_trials(plan, final_records(ledger.records), planned.folder)
    space = f" --space {options.space}" if options.space and options.space.endswith(".py") else ""
    print(
        f"{count} trials can run now: {path}. Elsewhere: python run_study.py{space} --trials "
        f"{path} --records more.jsonl; then here: --adopt more.jsonl"
    )
    return 0


def open_planned(planned: Planned) -> tuple[Plan, Ledger]:
    """The plan that counts in the folder, and its records with those that are adopted."""
    options = planned.options
    about = About(
        command=list(options.lasting_words),
        folder=planned.folder.as_posix(),
        versions=versions(),
        commit=commit(SOURCE),
        created=now(),
    )
    plan, ledger = open_study(planned.folder, planned.plan, about)
    try:
        for file in options.adopt:
            print(adopt_records(plan, ledger, file).summary(file), flush=True)
        plan = count_early_finals(planned.folder, plan, ledger.records, about.created)
    except BaseException:
        ledger.close()
        raise
    return plan, ledger


def estimate_cost(planned: Planned) -> Estimate:
    """Seconds of a trial, the mean over the arms, and how many fit on this machine at once.

    Raises:
        StudyError: a trial cannot take a few steps here.
    """
    plan, options = planned.plan, planned.options
    trainer = plan.space.trainer
    slots = cores() // options.cores
    if (gpus := trainer.gpus()) and options.gpus != 0:
        slots = min(slots, int(gpus // (options.gpus or 1)))
    configs = [plan.config(arm, "final") for arm in plan.running]
    try:
        seconds = trainer.estimate_seconds(configs, planned.prepared.inputs, options.cores)
    except (RuntimeError, MemoryError) as error:  # for want of memory, say
        reason = str(error).splitlines()[0]
        raise StudyError(
            f"a trial must be able to take a few steps on this machine; it cannot: {reason}"
        ) from None
    return Estimate(math.nan if seconds is None else seconds, max(1, slots // plan.workers))


def gpus_of_worker(planned: Planned) -> float | None:
    """GPUs of a worker: the command's number, else the share that brings most on this machine."""
    options, plan = planned.options, planned.plan
    if options.gpus is not None or options.workers > 1 or options.address:
        return options.gpus
    if not plan.space.trainer.gpus():
        return None
    print("Measuring how many trials should share a GPU; --gpus skips that.", flush=True)
    configs = [plan.config(arm, "final") for arm in plan.running]
    share = plan.space.trainer.gpu_share(configs, planned.prepared.inputs)
    print(f"{round(1 / share)} at once on each GPU.", flush=True)
    return share


def run_planned(planned: Planned) -> int:
    """Run what the folder still lacks, and go on where that was planned; the exit code."""
    hours, begun = planned.options.max_hours, time.monotonic()
    while True:
        code = run_once(planned)
        further = None if code else next_analysis(planned)
        if further is None:
            return code
        if not hours:
            planned = further
            continue
        left = hours - (time.monotonic() - begun) / 3600
        if left <= 0:
            print(f"Stopped at the end of the time. {UNFINISHED}", file=sys.stderr)
            return 130
        planned = further._replace(options=replace(further.options, max_hours=left))


def next_analysis(planned: Planned) -> Planned | None:
    """The study up to its next planned analysis; None after the last, or if it is decided."""
    sizes = next_look(planned.plan.sizes)
    if sizes is None or not is_undecided(planned):
        return None
    plan = replace(planned.plan, sizes=sizes)
    done = f"{planned.plan.pairs} {plural(plan.unit('final'))}"
    print(f"Undecided at {done}; going on to {plan.pairs}, as planned.", flush=True)
    return planned._replace(plan=plan)


def is_undecided(planned: Planned) -> bool:
    """Whether the folder's primary claim can be tested and is not decided."""
    plan = read_study(planned.folder, planned.plan.propose).plan
    verdict = Results(plan, read_records(planned.folder)).verdict("primary")
    return verdict is not None and verdict.label == "undecided"


def run_once(planned: Planned) -> int:
    """Run what the folder still lacks, then write the report; the exit code."""
    plan, ledger = open_planned(planned)
    planned = planned._replace(plan=plan)
    with closing(ledger):
        done = final_records(ledger.records)
        complete = is_finished(plan, done)
        if not complete:
            if done:
                print(f"{len(done)} trials have finished already; continuing.", flush=True)
            complete = run_on_ray(planned, ledger)
    write_page(planned.folder)
    if not complete:
        print(f"Stopped before the end. {UNFINISHED}", file=sys.stderr)
        return 130
    ended = final_records(ledger.records)
    if failed := sum(trial.id not in ended for trial in due_trials(plan, ended)):
        print(
            f"{failed} trials failed, the report says how; run the same command to try them again",
            file=sys.stderr,
        )
    return bool(failed)


def run_on_ray(planned: Planned, ledger: Ledger) -> bool:
    """Run what is missing on Ray; whether all of it ran."""
    from study.runner.ray_settings import configure_ray_environment

    options, plan = planned.options, planned.plan
    configure_ray_environment(options.address)  # before Ray is imported
    from study.runner.cluster import Cluster
    from study.runner.execute import Work, run_trials

    if not options.address:
        results = Results(plan, ledger.records)
        print("\n".join(forecast_lines(results, estimate_cost(planned))), flush=True)
    cluster = Cluster(
        options.address,
        cores=options.cores,
        gpus=gpus_of_worker(planned),
        hours=options.max_hours,
        code=options.code,
        modules=options.modules,
        url=address_of(options.out),
        mlflow=options.mlflow,
        wandb=options.wandb,
    )
    work = Work(plan.space.trainer.train, dict(planned.prepared.inputs), commit(SOURCE))
    return run_trials(plan, planned.folder, ledger, work=work, cluster=cluster)


def redraw(options: Options) -> int:
    """Write the page again, from the records alone; the exit code."""
    folder = report_folder(options.out, options.space, options.profile, options.dataset)
    remote = RemoteFolder(options.out, folder) if options.out and address_of(options.out) else None
    if remote:
        remote.pull()
    write_page(folder)
    if remote:
        remote.push()
    return 0


def write_page(folder: Path) -> None:
    """Write tables and page from the records; needs neither the trainer nor Ray."""
    from study.report.page import write_report

    page, answer = write_report(folder)
    print(f"{answer}\nReport: {page.resolve().as_uri()}", flush=True)


def run_offline(exported: list[ExportedTrial], space: Space, options: Options) -> int:
    """Run trials of a file on this machine without Ray; the exit code.

    Raises:
        StudyError: the data or the records' file are wrong.
    """
    from study.execution.offline import Offline, run_offline

    assert options.records is not None
    offline = Offline(
        records=options.records,
        dataset=options.dataset,
        data_dir=options.data_dir,
        weights=options.weights,
        at_once=options.at_once,
        threads=options.cores,
        commit=commit(SOURCE),
    )
    return 1 if run_offline(exported, space, offline) else 0
