"""Runs or resumes the study of one search space and writes its report: look the space up, plan, run, report."""

import importlib
import pkgutil
import signal
import sys
from argparse import Namespace
from contextlib import closing
from functools import partial
from pathlib import Path

import search_spaces
from study import command as cli
from study.design.plan import Plan, absent_words, arms_of, check_free, in_every_stage, make_plan
from study.design.space import Profile, Space
from study.errors import StudyError
from study.store.directory import (
    address_of,
    default_folder,
    local_folder,
    open_study,
    reported_folder,
)
from study.store.environment import commit, now, versions
from study.store.ledger import Ledger
from study.store.remote import Mirror

SOURCE = Path(__file__).resolve().parent
PACKAGES = ("moco", "study", "search_spaces")
Reads = dict[str, Path]


def main(words: list[str] | None = None) -> int:
    """Exit code: 0 complete, 2 the command or the data is wrong, 130 interrupted, 1 anything else."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # preemption is an interrupt
    names = sorted(
        module.name
        for module in pkgutil.iter_modules(search_spaces.__path__)
        if not module.name.startswith("_")
    )
    command = cli.parser(names).parse_args(words)
    try:
        if command.list:
            return list_spaces(names)
        if command.report:
            return redraw(command)
        return study(command, names)
    except (
        StudyError
    ) as problem:  # a sentence for the user; anything else is our mistake and keeps its traceback
        print(f"run_study.py: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; what is done is kept, and the same command goes on", file=sys.stderr)
        return 130


def space_of(name: str | None, names: list[str]) -> Space:
    """The space of that name.

    Raises:
        StudyError: there is none.
    """
    if name not in names:
        raise StudyError(f"--space must be one of {', '.join(names)}; got {name!r}")
    return importlib.import_module(f"search_spaces.{name}").SPACE


def list_spaces(names: list[str]) -> int:
    """Prints each space with its question."""
    spaces = [space_of(name, names) for name in names]
    rows = (
        f"{space.name:14} {space.question}  ({space.rows or 'not in the report'})"
        for space in spaces
    )
    print(
        *rows,
        "\nR1 to R10 are the experiments of the student report of 2020 that these spaces repeat.",
        sep="\n",
    )
    return 0


def redraw(command: Namespace) -> int:
    """The page again, from the records alone."""
    if command.adopt or command.plan:
        raise StudyError("--report goes with neither --adopt nor --plan: it only draws")
    folder = reported_folder(command.out, command.space, command.profile, command.dataset)
    mirror = Mirror(command.out, folder) if address_of(command.out) else None
    if mirror:
        mirror.pull()
    code = report(folder)
    if mirror:
        mirror.push()
    return code


def study(command: Namespace, names: list[str]) -> int:
    """Plans, and unless only the plan is wanted runs what is missing and reports."""
    from moco.device import pick_device  # imports torch: neither --list nor --report needs it

    space = space_of(command.space, names)
    profile = command.profile or ("full" if pick_device("auto").type == "cuda" else "quick")
    sizes = cli.sizes_of(space, profile, command.trials, command.seeds)
    print(
        f"{space.question}\nProfile {profile}{'' if command.profile else ' (chosen by what the machine has)'}: {sizes.note}.",
        flush=True,
    )
    plan, reads = plan_study(command, space, profile, sizes)
    own_data = command.dataset if command.dataset != sizes.dataset else None
    folder = (
        local_folder(command.out) if command.out else default_folder(space.name, profile, own_data)
    )
    mirror = Mirror(address_of(command.out), folder) if address_of(command.out) else None
    if mirror:
        mirror.pull()
    try:
        return (
            show_plan(plan, folder, reads, command)
            if command.plan
            else run(plan, folder, reads, command)
        )
    finally:
        if mirror:
            mirror.push()


def plan_study(
    command: Namespace, space: Space, profile: str, sizes: Profile
) -> tuple[Plan, Reads]:
    """The plan, and what its trials read: the dataset's cache, and files of weights."""
    from moco.model.published_weights import GIVEN, WEIGHTS
    from moco.trainer.availability import essence
    from moco.trainer.dataset_facts import complete, ready

    cli.check_numbers(command)
    overrides, given = cli.begun_from(
        command.weights, space, cli.overrides_of(command.set), WEIGHTS, GIVEN
    )
    space = arms_of(space, sizes, overrides)
    check_free(space, overrides, sizes)
    wish = {**space.fixed, **sizes.values, **in_every_stage(overrides, sizes)}
    variants = {arm.name: arm.values for arm in space.arms if not arm.of}
    download = {
        given,
        command.weights,
        *(WEIGHTS if profile != "quick" and not command.plan else ()),
    }
    try:
        found = ready(
            command.dataset or sizes.dataset, wish, variants, Path(command.data_dir), command.workers,
            here=not command.address, download=download, given=given,
        )  # fmt: skip
    except (
        ValueError,
        OSError,
        RuntimeError,
        MemoryError,
    ) as problem:  # wrong fields and wrong data: a sentence each
        raise StudyError(str(problem)) from None
    print(
        *(
            f"Note: {line}\n"
            for line in [*found.data["warnings"], *absent_words(space, found.survey.absent)]
        ),
        sep="",
        end="",
        flush=True,
    )
    check = partial(complete, dataset=found.data["name"])
    plan = make_plan(
        space,
        profile,
        sizes,
        overrides,
        found.data,
        command.workers,
        check,
        found.survey.absent,
        found.survey.fields,
        essence,
    )
    return plan, {"cached": found.cached.resolve(), **found.survey.files}


def show_plan(plan: Plan, folder: Path, reads: Reads, command: Namespace) -> int:
    """Prints what would be run, and with --out leaves it there as data."""
    from study.analysis.forecast import describe
    from study.design.record import final_records
    from study.store.directory import standing_plan
    from study.store.exchange import export
    from study.store.ledger import read_records

    if not (command.out or command.adopt):
        plan, begun = standing_plan(folder, plan)
        print(describe(plan, read_records(folder) if begun else [], *cost_of(plan, reads, command)))
        return 0
    plan, ledger = opened(plan, folder, command)
    with closing(ledger):
        print(describe(plan, ledger.records, *cost_of(plan, reads, command)))
        path, count = export(plan, final_records(ledger.records), folder)
    print(
        f"{count} trials can run now: {path}. Elsewhere: python -m moco --trials {path} --records more.jsonl; then here: --adopt more.jsonl"
    )
    return 0


def opened(plan: Plan, folder: Path, command: Namespace) -> tuple[Plan, Ledger]:
    """The study's plan as it stands in its folder, and its records with those that the command adopts."""
    from study.store.exchange import adopt

    about = {
        "command": cli.lasting(sys.argv[1:]),
        "folder": folder.as_posix(),
        "versions": versions(),
        "commit": commit(SOURCE),
        "created": now(),
    }
    plan, ledger = open_study(folder, plan, about)
    try:
        for file in command.adopt:
            print(adopt(plan, ledger, Path(file)).words(Path(file)), flush=True)
    except BaseException:
        ledger.close()
        raise
    return plan, ledger


def cost_of(plan: Plan, reads: Reads, command: Namespace) -> tuple[float, int]:
    """Seconds of a trial, the mean over the arms, by a few steps of each kind just now, and how many fit on this machine at once."""
    from moco.device import gpus
    from moco.trainer.cost import kinds_of, seconds_of
    from study.analysis.forecast import configs_of
    from study.store.environment import cores

    kinds = kinds_of(configs_of(plan))
    room = cores() // command.cores
    places = min(room, int(gpus() // (command.gpus or 1))) if gpus() and command.gpus != 0 else room
    try:
        spent = sum(
            seconds_of(config, reads["cached"], command.cores) * count for config, count in kinds
        )
        return spent / len(plan.running), max(1, places // plan.workers)
    except (RuntimeError, MemoryError) as problem:  # torch's own: for want of memory, say
        raise StudyError(
            f"a trial must be able to take a few steps on this machine; it cannot: {str(problem).splitlines()[0]}"
        ) from None


def gpus_of(plan: Plan, reads: Reads, command: Namespace) -> float | None:
    """GPUs of a worker: the command's number, else the share that brings most on a GPU of this machine."""
    from moco.device import gpus
    from moco.trainer.cost import kinds_of
    from moco.trainer.gpu_sharing import trials_a_gpu
    from study.analysis.forecast import configs_of

    if command.gpus is not None or command.workers > 1 or command.address or not gpus():
        return command.gpus
    print("Measuring how many trials should share a GPU; --gpus skips that.", flush=True)
    share = min(trials_a_gpu(config, reads["cached"]) for config, _ in kinds_of(configs_of(plan)))
    print(f"{share} at once on each GPU.", flush=True)
    return 1 / share


def run(plan: Plan, folder: Path, reads: Reads, command: Namespace) -> int:
    """Runs what the folder still lacks, then writes the report."""
    from study.design.record import final_records
    from study.design.stages import due, is_finished

    plan, ledger = opened(plan, folder, command)
    with closing(ledger):
        done = final_records(ledger.records)
        complete = is_finished(plan, done)
        if not complete:
            if done:
                print(f"{len(done)} trials are done already; going on.", flush=True)
            complete = run_missing(plan, folder, reads, command, ledger)
    report(folder)
    if not complete:
        print(
            "stopped before the end; what is done is kept, and the same command goes on",
            file=sys.stderr,
        )
        return 130
    ended = final_records(ledger.records)
    if failed := sum(trial.id not in ended for trial in due(plan, ended)):
        print(
            f"{failed} trials failed, the report says how; the same command tries them again",
            file=sys.stderr,
        )
    return bool(failed)


def run_missing(plan: Plan, folder: Path, reads: Reads, command: Namespace, ledger: Ledger) -> bool:
    """Runs it on Ray; whether all of it ran."""
    from study.runner.ray_settings import settle

    settle(command.address)  # before Ray is imported
    from moco.trainer import trial
    from study.analysis.forecast import forecast
    from study.runner.cluster import Cluster
    from study.runner.execute import Work, run_trials

    if not command.address:
        print("\n".join(forecast(plan, ledger.records, *cost_of(plan, reads, command))), flush=True)
    cluster = Cluster(
        command.address,
        cores=command.cores,
        gpus=gpus_of(plan, reads, command),
        hours=command.max_hours,
        code=tuple(SOURCE / name for name in PACKAGES),
        url=address_of(command.out),
        mlflow=command.mlflow,
        wandb=command.wandb,
    )
    return run_trials(plan, folder, ledger, Work(trial.run, reads, commit(SOURCE)), cluster)


def report(folder: Path) -> int:
    """Writes tables and page from the records; needs neither torch nor Ray."""
    from study.report.page import write_report

    page, answer = write_report(folder)
    print(f"{answer}\nReport: {page.resolve().as_uri()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
