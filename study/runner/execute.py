"""Run a study's trials on Ray: Tune schedules them, one of several workers is a Ray Train run.

Call `ray_settings.configure_ray_environment` before importing this module: Ray reads the
environment when it is imported.
"""

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ray import cloudpickle, tune

from study.design.plan import Plan
from study.design.trainer import Epochs
from study.design.trial import Trial, trial_title
from study.errors import StudyError, TrialsFailedError, first_line
from study.execution.stop import Stop
from study.runner.callbacks import PageRedraw, make_callbacks
from study.runner.cluster import (
    Cluster,
    TrialSlots,
    check_nodes,
    connect,
    wants_dashboard,
)
from study.runner.files.inputs import with_inputs
from study.runner.files.trials import TrialFiles, open_trial_files, remove_copies
from study.runner.progress import Progress
from study.runner.ray_patches import logs_place, run_tune, survive_memory_kills
from study.runner.scheduler import StudyScheduler
from study.runner.searcher import StudySearch
from study.runner.trainable import Job, run_data_parallel, run_single
from study.search.database import SearchDatabase
from study.store.directory import scratch_folder
from study.store.ledger import Ledger


class Work(NamedTuple):
    """What a study's trials do."""

    train: Callable[..., Epochs]  # a Trainer's `train`
    inputs: dict[str, Path]  # its keyword arguments, sent to nodes without them
    commit: str


class Ran(NamedTuple):
    """How a run of a study's trials ended."""

    complete: bool  # nothing is left that could be run
    interrupted: bool  # a signal came, perhaps after the last trial


def run_trials(plan: Plan, folder: Path, ledger: Ledger, *, work: Work, cluster: Cluster) -> Ran:
    """Run what the plan still lacks.

    Blocks. The first SIGINT, SIGTERM or SIGHUP, or the end of the time, lets running trials reach
    the end of their epoch.

    Raises:
        StudyError: Ray does not start, the cluster cannot hold one trial, the folder takes no
            more records, or all trials fail.
        KeyboardInterrupt: a second signal came; finished trials are saved.
    """
    stop = Stop(cluster.hours)
    scratch = scratch_folder(folder)  # of this run, or left by one that was killed
    try:
        with connect(cluster) as dashboard:
            if cluster.address and plan.words.packages:
                check_nodes(plan.words.packages)
            with stop.signal_handlers():
                slots = TrialSlots(cluster, plan.workers)
                slots.check()
                print(describe_dashboard(dashboard), flush=True)
                shutil.rmtree(scratch, ignore_errors=True)
                with closing(SearchDatabase(folder, plan)) as database:
                    # a kill may have come between record and database
                    database.add(ledger.records)
                    search = StudySearch(
                        plan, ledger, database, slots=slots, stop=stop, commit=work.commit
                    )
                    run_experiment(search, folder, work=work, cluster=cluster)
                raise_for_failures(search, folder)
                return Ran(search.finished, stop.signalled)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def describe_dashboard(address: str) -> str:
    """A line for the user."""
    if not address:
        return f"Ray without a dashboard: {why_no_dashboard()}"
    return f"Ray dashboard: {address} (its token: ray get-auth-token)"


def why_no_dashboard() -> str:
    """What keeps Ray's dashboard away, as far as it is known."""
    if not wants_dashboard():
        return "STUDY_DASHBOARD=off"
    lacking = [name for name in ("aiohttp", "grpc") if importlib.util.find_spec(name) is None]
    if lacking:
        return f"{' and '.join(lacking)} not installed, which ray[default] brings"
    return f"it did not start, dashboard.log {logs_place()} says why"


def run_experiment(search: StudySearch, folder: Path, *, work: Work, cluster: Cluster) -> None:
    """Run all that is due as one Tune experiment, with everything that follows it."""
    for name in cluster.modules:  # a space's own file, which workers cannot import
        cloudpickle.register_pickle_by_value(sys.modules[name])
    survive_memory_kills()
    url, trials = cluster.url, folder.resolve() / "trials"
    files = open_trial_files(trials, address=cluster.address, url=url)
    job = make_job(search, files, work, is_local=not cluster.address)
    with closing(Progress(search)) as progress, closing(PageRedraw(folder)) as redraw:
        try:
            others = make_callbacks(folder, cluster, files=files, search=search)
            start_tune(search, job, scratch_folder(folder), callbacks=[progress, redraw, *others])
        finally:
            remove_copies(files)


def make_job(search: StudySearch, files: TrialFiles, work: Work, *, is_local: bool) -> Job:
    """What all trials have in common."""
    plan, slots = search.plan, search.slots
    return Job(
        space=plan.space.name,
        words=plan.words,
        train=with_inputs(work.train, work.inputs, pack=not is_local),
        files=files,
        commit=work.commit,
        workers=slots.workers,
        cores=slots.cores,
        gpus=slots.gpus,
        is_local=is_local,
    )


def start_tune(
    search: StudySearch, job: Job, scratch: Path, *, callbacks: list[tune.Callback]
) -> None:
    """Run the Tune experiment until the search has nothing more to suggest."""
    trainable = run_data_parallel if job.workers > 1 else run_single
    run_tune(
        tune.with_resources(tune.with_parameters(trainable, job=job), search.slots.request),
        scratch,
        name=job.space,
        search_alg=search,
        scheduler=StudyScheduler(search, job.files.folder),
        num_samples=-1,
        reuse_actors=job.workers == 1,
        trial_name_creator=partial(trial_name, job.space),
        trial_dirname_creator=lambda trial: trial.trial_id,
        callbacks=callbacks,
        raise_on_failed_trial=False,
        verbose=0,
    )


def trial_name(space: str, trial: Any) -> str:
    """A Tune trial's name for people."""
    return trial_title(space, Trial(**json.loads(trial.config["trial"])))


def raise_for_failures(search: StudySearch, folder: Path) -> None:
    """Raise what ended the study before its end.

    Raises:
        TrialsFailedError: all trials fail.
        StudyError: a record could not be written.
    """
    if search.write_error:
        raise StudyError(
            f"{folder} must take the records; a trial ended, but its record could not be written: "
            f"{first_line(search.write_error)}. Finished trials are saved; run the same command "
            "to continue"
        ) from search.write_error
    if search.stop.hopeless_reason:
        raise TrialsFailedError(
            f"the study is stopped, since {search.stop.hopeless_reason}. Finished trials are "
            "saved; when the cause is gone, run the same command to continue"
        )
