"""Runs a study's trials on Ray: Tune schedules them, a trial of several workers is a Ray Train run.

`study.runner_settings.settle` comes before the import of this module, since Ray reads the environment when it is imported.
"""

import json
import shutil
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray import tune
from ray.train._internal import storage

from study.design.plan import Plan
from study.design.trial import Trial, title
from study.errors import StudyError
from study.execution.stop import Stop
from study.runner.callbacks import Redraw, watchers
from study.runner.cluster import Cluster, Places, start_ray
from study.runner.file_transfer import delivered, files_of, forget
from study.runner.progress import Progress
from study.runner.ray_patches import survive_memory_kills
from study.runner.scheduler import Schedule
from study.runner.searcher import StudySearch
from study.runner.trainable import Job, run_here, run_train
from study.search.database import SearchDatabase
from study.store.ledger import Ledger


class Work(NamedTuple):
    """What a study's trials do."""

    task: Any  # a study.trial.Task, given `reads` as keyword arguments besides
    reads: dict[str, Path]  # files and folders that nodes without them are sent
    commit: str


def run_trials(plan: Plan, folder: Path, ledger: Ledger, work: Work, cluster: Cluster) -> bool:
    """Runs what the plan still lacks; whether nothing is left that could be run.

    Blocks. The first SIGINT, SIGTERM or SIGHUP, or the end of the time, lets running trials reach the end of their epoch.

    Raises:
        StudyError: the cluster cannot hold one trial, the folder no more records, or all trials fail.
        KeyboardInterrupt: a second signal came; what is done is kept.
    """
    stop = Stop(cluster.hours)
    scratch = folder.resolve() / ".tune"  # of this run, or left by one that was killed
    try:
        dashboard = start_ray(cluster)
        with stop.listening():  # after Ray's start, which takes SIGTERM for itself
            places = Places(cluster, plan.workers)
            places.check()
            print(
                f"Ray dashboard: {dashboard} (its token: ray get-auth-token)"
                if dashboard
                else "Ray without a dashboard",
                flush=True,
            )
            shutil.rmtree(scratch, ignore_errors=True)
            with closing(SearchDatabase(folder, plan)) as database:
                database.add(ledger.records)  # a kill may have come between record and database
                search = StudySearch(plan, ledger, database, places, stop, work.commit)
                conduct(search, folder, work, cluster)
            check(search, folder)
            return search.finished
    finally:
        ray.shutdown()
        shutil.rmtree(scratch, ignore_errors=True)


def conduct(search: StudySearch, folder: Path, work: Work, cluster: Cluster) -> None:
    """Runs the trials, with all who look on."""
    files = files_of(folder.resolve() / "trials", cluster.address, cluster.url)
    task = delivered(work.task, work.reads, pack=bool(cluster.address))
    places = search.places
    job = Job(
        search.plan.space,
        task,
        files,
        work.commit,
        places.workers,
        places.cores,
        places.gpus,
        not cluster.address,
    )
    with closing(Progress(search)) as progress, closing(Redraw(folder)) as redraw:
        try:
            experiment(
                search,
                job,
                folder.resolve() / ".tune",
                [progress, redraw, *watchers(folder, cluster, files, search)],
            )
        finally:
            forget(files)


def experiment(
    search: StudySearch, job: Job, scratch: Path, callbacks: list[tune.Callback]
) -> None:
    """One Tune experiment over all that is due, its loop in this process even where Ray's client would move it into the cluster."""
    survive_memory_kills()
    if ray.util.client.ray.is_connected():
        vars(storage)["_get_ray_train_session_dir"] = lambda: str(
            scratch
        )  # a client has no session folder of its own
    tune.run(
        tune.with_resources(
            tune.with_parameters(run_train if job.workers > 1 else run_here, job=job),
            search.places.request,
        ),
        name=search.plan.space,
        search_alg=search,
        scheduler=Schedule(search, job.files.folder),
        num_samples=-1,
        reuse_actors=job.workers == 1,
        storage_path=str(scratch),
        trial_name_creator=partial(named, search.plan.space),
        trial_dirname_creator=lambda trial: trial.trial_id,
        callbacks=callbacks,
        raise_on_failed_trial=False,
        verbose=0,
        _remote=False,
    )


def named(space: str, trial: Any) -> str:
    """A Tune trial's name for people."""
    return title(space, Trial(**json.loads(trial.config["trial"])))


def check(search: StudySearch, folder: Path) -> None:
    """That the study ended for no bad reason.

    Raises:
        StudyError: a record could not be written, or all trials fail.
    """
    if search.broken:
        told = "a trial ended, but its record could not be written"
        raise StudyError(
            f"{folder} must take the records; {told} ({search.broken}). The same command goes on"
        ) from search.broken
    if search.stop.spoiled:
        raise StudyError(
            f"the study is stopped, since {search.stop.spoiled}. What is done is kept; when the cause is gone the same command goes on"
        )
