"""What the command does, for programs: plan, run, redraw, and run trials elsewhere.

Ray is imported only where trials run, the trainer's library only by the trainer.
"""

import shlex
import shutil
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from study.analysis.forecast import describe_plan, forecast_lines
from study.analysis.results import Results
from study.config_file import FILE_NAME as CONFIG_NAME
from study.config_file import config_text
from study.design.plan import Plan, next_look
from study.design.record import final_records
from study.design.space import Space
from study.design.stages import due_trials, is_finished
from study.errors import StudyError, TrialsFailedError
from study.options import Options
from study.planning import Planned, estimate_cost, plan_study
from study.store.atomic import write_atomically
from study.store.directory import (
    address_of,
    local_folder,
    open_study,
    preview_plan,
    report_folder,
    scratch_folder,
)
from study.store.environment import commit, now, versions
from study.store.exchange import ExportedTrial, adopt_records, export_trials
from study.store.ledger import Ledger, read_records
from study.store.remote import RemoteFolder
from study.store.study_file import About, count_early_finals, read_study
from study.text import hide_home, plural

SOURCE = Path(__file__).resolve().parents[1]
UNFINISHED = "Finished trials are saved; run the same command to continue."


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


def show_plan(planned: Planned) -> int:
    """Print what would be run, and with --out leave it there as data."""
    plan, options = planned.plan, planned.options
    if not (options.out or options.adopt):
        preview = preview_plan(planned.folder, plan)
        results = Results(preview.plan, read_records(planned.folder) if preview.begun else [])
        print(describe_plan(results, estimate_cost(planned), planned.on_demand))
        if preview.refused:
            print(
                f"Note: {planned.folder} holds a study with another plan, and the two are never "
                "mixed: to run this one, name another folder with --out."
            )
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
    own = options.space and (options.space.endswith(".py") or ":" in options.space)
    space = f" --space {shlex.quote(options.space)}" if own and options.space else ""
    print(
        f"{count} trials can run now: {path}. Elsewhere: {options.program}{space} --trials "
        f"{shlex.quote(str(path))} --records more.jsonl; then here: --adopt more.jsonl"
    )
    return 0


def open_planned(planned: Planned) -> tuple[Plan, Ledger]:
    """The plan that counts in the folder, and its records with those that are adopted."""
    options = planned.options
    about = About(
        program=options.program,
        command=list(options.lasting_words),
        folder=hide_home(planned.folder.as_posix()),
        versions=versions(),
        commit=commit(SOURCE),
        created=now(),
    )
    plan, ledger = open_study(planned.folder, planned.plan, about)
    repeat = config_text(options, plan.profile)
    write_atomically(planned.folder / CONFIG_NAME, repeat)
    try:
        for file in options.adopt:
            print(adopt_records(plan, ledger, file).summary(file), flush=True)
        counted = count_early_finals(planned.folder, plan, ledger.records, about.created)
        if counted.analyses > plan.analyses:
            print(
                "Some of these final runs began before the plan was fixed here, and may have been "
                f"seen: it counts as an analysis, each claim is tested at {counted.alpha:.3g}.",
                flush=True,
            )
        plan = counted
        ledger.plan = read_study(planned.folder, plan.propose).hash
    except BaseException:
        ledger.close()
        raise
    return plan, ledger


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
        code, interrupted = run_once(planned)
        further = None if code else next_analysis(planned)
        if further is None:
            return code
        if interrupted:  # as the trials before it ended
            print(f"Stopped before that. {UNFINISHED}", file=sys.stderr)
            return 130
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


def run_once(planned: Planned) -> tuple[int, bool]:
    """Run what the folder still lacks, then write the report; exit code, and if a signal came."""
    plan, ledger = open_planned(planned)
    planned, interrupted = planned._replace(plan=plan), False
    with closing(ledger):
        done = final_records(ledger.records)
        complete = is_finished(plan, done)
        if complete:
            shutil.rmtree(scratch_folder(planned.folder), ignore_errors=True)  # of a killed run
        else:
            if done:
                print(f"{len(done)} trials have finished already; continuing.", flush=True)
            try:
                complete, interrupted = run_on_ray(planned, ledger)
            except TrialsFailedError as problem:
                write_page(planned.folder)
                print(f"{planned.options.program.split()[-1]}: {problem}", file=sys.stderr)
                return 1, False
    write_page(planned.folder)
    if not complete:
        print(f"Stopped before the end. {UNFINISHED}", file=sys.stderr)
        return 130, interrupted
    ended = final_records(ledger.records)
    if failed := sum(trial.id not in ended for trial in due_trials(plan, ended)):
        print(
            f"{failed} trials failed, the report says how; run the same command to try them again",
            file=sys.stderr,
        )
    return int(bool(failed)), interrupted


def run_on_ray(planned: Planned, ledger: Ledger) -> tuple[bool, bool]:
    """Run what is missing on Ray; whether all of it ran, and whether a signal came."""
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
    folder = fetched_folder(options)
    write_page(folder)
    if options.out and address_of(options.out):
        RemoteFolder(options.out, folder).push()
    return 0


def fetched_folder(options: Options) -> Path:
    """The folder of a study that is there, as it is at its address where it has one."""
    folder = report_folder(options.out, options.space, options.profile, options.dataset)
    if options.out and address_of(options.out):
        RemoteFolder(options.out, folder).pull()
    return folder


def write_page(folder: Path) -> None:
    """Write tables and page from the records; needs neither the trainer nor Ray."""
    from study.report.page import write_report

    report = write_report(folder)
    warn_of_changes(folder, report.changes)
    print(f"{report.answer}\nReport: {report.page.resolve().as_uri()}", flush=True)


def warn_of_changes(folder: Path, changes: list[str]) -> None:
    """Say on standard error if a study's plan or records were changed after they were written."""
    if changes:
        print(
            f"Note: {folder} is not as it was written. {changes[0]}. --verify says more.",
            file=sys.stderr,
        )


def check_claim(options: Options) -> int:
    """Print the verdict on a claim, or on all of a role; the exit code, if they have one, else 4.

    Raises:
        StudyError: there is no such study, or no such claim.
    """
    from study.report.folder import read_folder
    from study.report.verdict_file import EXIT_CODES, exit_code, study_verdict, verdict_words

    folder = fetched_folder(options)
    study = read_folder(folder)
    if study.changes:
        raise StudyError(
            f"--check must have a study that is as it was written; of {folder}: "
            f"{study.changes[0]}. --verify says more"
        )
    verdicts = study_verdict(study.results).claims_of(options.check or "")
    print("\n".join(map(verdict_words, verdicts)), flush=True)
    codes = {exit_code(verdict) for verdict in verdicts}
    return codes.pop() if len(codes) == 1 else EXIT_CODES["undecided"]


def verify(options: Options) -> int:
    """Say whether a study's folder is whole; the exit code, 1 where it is not.

    Raises:
        StudyError: there is no such study, or a record is damaged.
    """
    from study.report.provenance.verification import verify_study

    state = verify_study(fetched_folder(options))
    print("\n".join([*state.findings, *state.notes, state.summary]), flush=True)
    return 1 if state.findings else 0


def export(options: Options) -> int:
    """Write a study for a paper; the exit code.

    Raises:
        StudyError: there is no such study, or it cannot be written.
    """
    from study.export.export import export_study

    folder = fetched_folder(options)
    kind, to = options.export
    paths, changes = export_study(folder, kind, Path(to))
    warn_of_changes(folder, changes)
    print(f"{len(paths)} files in {to}: {', '.join(path.name for path in paths)}", flush=True)
    return 0


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
