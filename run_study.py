"""Runs or resumes the study of one search space and writes its report: look the space up, plan, run, report."""

import importlib
import math
import pkgutil
import sys
from argparse import Namespace
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import search_spaces
from study import cli
from study.errors import StudyError
from study.machine import commit, now, versions
from study.plan import Plan, make_plan, read_study
from study.space import Space

SOURCE = Path(__file__).resolve().parent


def main(words: list[str] | None = None) -> int:
    """Exit code: 0 complete, 2 the command or the data is wrong, 130 interrupted, 1 anything else."""
    names = sorted(module.name for module in pkgutil.iter_modules(search_spaces.__path__))
    command = cli.parser(names).parse_args(words)
    try:
        if command.list:
            return list_spaces(names)
        if command.report:
            return report(folder_of(command))
        return study(command, names)
    except StudyError as problem:  # a sentence for the user; anything else is our mistake and keeps its traceback
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
    for name in names:
        space = space_of(name, names)
        print(f"{name:12} {space.question}  (experiments {space.rows} of the report)")
    return 0


def default_folder(space: str, profile: str, dataset: str | None) -> Path:
    """results/<space>-<profile>, and the dataset's name where the command chose one."""
    return Path("results") / "-".join([space, profile, *([Path(dataset).absolute().name] if dataset else [])])


def folder_of(command: Namespace) -> Path:
    """The study's folder: --out, or one named after space and profile.

    Raises:
        StudyError: neither is given.
    """
    if command.out:
        return Path(command.out)
    if not command.space:
        raise StudyError("--report needs --out, or --space and --profile: which study?")
    profiles = [command.profile] if command.profile else ["quick", "small", "full"]
    folders = [default_folder(command.space, profile, command.dataset) for profile in profiles]
    return next((folder for folder in folders if (folder / "study.json").exists()), folders[0])


def study(command: Namespace, names: list[str]) -> int:
    """Plans, and unless only the plan is wanted runs what is missing and reports."""
    from moco.device import pick_device  # imports torch: neither --list nor --report needs it

    space = space_of(command.space, names)
    overrides = cli.overrides_of(command.set)
    profile = command.profile or ("full" if pick_device("auto").type == "cuda" else "quick")
    sizes = cli.sizes_of(space, profile, command.trials, command.seeds)
    print(f"{space.question}\nProfile {profile}{'' if command.profile else ' (chosen by what the machine has)'}: {sizes.note}.", flush=True)
    plan, cached = plan_study(command, space, profile, sizes, overrides)
    own_data = command.dataset if command.dataset != sizes.dataset else None
    folder = Path(command.out) if command.out else default_folder(space.name, profile, own_data)
    return show_plan(plan, folder, cached, command) if command.plan else run(plan, folder, cached, command)


def plan_study(command: Namespace, space: Space, profile: str, sizes: Any, overrides: dict[str, Any]) -> tuple[Plan, Path]:
    """The plan, and the cache of its dataset."""
    from moco.facts import check_place, complete, facts_of, prepare

    if command.workers < 1:
        raise StudyError(f"--workers must be 1 or more; got {command.workers}")
    if command.trials_per_gpu is not None and command.trials_per_gpu < 1:
        raise StudyError(f"--trials-per-gpu must be 1 or more; got {command.trials_per_gpu}")
    if (command.trials_per_gpu or 1) > 1 and command.workers > 1:
        raise StudyError(
            f"--trials-per-gpu must be 1 where a trial has several workers; got {command.trials_per_gpu} with --workers {command.workers}"
        )
    if not 0 <= command.max_hours < math.inf:
        raise StudyError(f"--max-hours must be 0 (no limit) or more; got {command.max_hours}")
    wish = {**space.fixed, **sizes.values, **overrides}
    try:
        cached = prepare(command.dataset or sizes.dataset, wish, Path(command.data_dir))
        data = facts_of(cached, wish)
        check_place(wish, command.workers)
    except (ValueError, OSError, RuntimeError, MemoryError) as problem:  # wrong fields and wrong data: a sentence each
        raise StudyError(str(problem)) from None
    for sentence in data["warnings"]:
        print(f"Note: {sentence}", flush=True)
    plan = make_plan(space, profile, sizes, overrides, data, command.workers, partial(complete, dataset=data["name"]))
    return plan, cached


def task_of(cached: Path) -> Any:
    """MoCo's trial as a study's task."""
    from moco import trial

    return partial(trial.run, cached=cached.resolve())


def show_plan(plan: Plan, folder: Path, cached: Path, command: Namespace) -> int:
    """Prints what would be run; the cost is what a few steps of a trial took just now."""
    from moco.cost import seconds_of
    from moco.device import gpus
    from study.cost import describe
    from study.machine import cores
    from study.record import read_records
    from study.stages import due

    first = next(due(plan, {}))
    places = min(cores(), gpus() * (command.trials_per_gpu or 1)) if gpus() else cores()
    begun = (folder / "study.json").exists() and read_study(folder)["hash"] == plan.hash
    print(describe(plan, read_records(folder) if begun else [], seconds_of(first.config, cached), max(1, places // plan.workers)))
    return 0


def share_of_gpu(plan: Plan, cached: Path, command: Namespace) -> int:
    """How many trials run at once on each GPU: the command's number, else what brings most on a GPU of this machine."""
    from moco.device import gpus
    from moco.sharing import trials_a_gpu
    from study.stages import due

    if command.trials_per_gpu or command.workers > 1 or command.address or not gpus():
        return command.trials_per_gpu or 1
    print("Measuring how many trials should share a GPU; --trials-per-gpu N skips that.", flush=True)
    share = trials_a_gpu(next(due(plan, {})).config, cached)
    print(f"{share} at once on each GPU.", flush=True)
    return share


def run(plan: Plan, folder: Path, cached: Path, command: Namespace) -> int:
    """Runs what the folder still lacks, then writes the report."""
    from study.folder import open_study
    from study.record import final_records
    from study.stages import due

    about = {"command": sys.argv[1:], "folder": folder.as_posix(), "versions": versions(), "commit": commit(SOURCE), "created": now()}
    plan, ledger = open_study(folder, plan, about)
    with closing(ledger):
        done = final_records(ledger.records)
        complete = all(trial.id in done for trial in due(plan, done))
        if not complete:
            from study.runner import Cluster, run_trials

            if done:
                print(f"{len(done)} trials are done already; going on.", flush=True)
            cluster = Cluster(command.address, share=share_of_gpu(plan, cached, command), hours=command.max_hours)
            complete = run_trials(plan, folder, ledger, task_of(cached), cluster, commit(SOURCE))
    report(folder)
    if not complete:
        print("stopped before the end; what is done is kept, and the same command goes on", file=sys.stderr)
        return 130
    failed = {record.trial for record in ledger.records} - set(final_records(ledger.records))
    if failed:
        print(f"{len(failed)} trials failed, the report says how; the same command tries them again", file=sys.stderr)
    return 1 if failed else 0


def report(folder: Path) -> int:
    """Writes tables and page from the records; needs neither torch nor Ray."""
    from study.report import write_report

    page, answer = write_report(folder)
    print(f"{answer}\nReport: {page.resolve().as_uri()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
