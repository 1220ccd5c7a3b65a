"""Runs a study's trials on Ray: Tune schedules them, a trial of several workers is a Ray Train run."""

import logging
import math
import os
import shutil
import signal
import socket
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # else Tune prints tables of its own
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # records.jsonl serves
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")  # a report waits for the next check
os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "60")
os.environ.setdefault("RAY_TRAIN_ENABLE_STATE_TRACKING", "1")  # the dashboard's Train page
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray import tune

from study.errors import StudyError
from study.machine import cores
from study.plan import Plan
from study.proposals import SearchDatabase
from study.record import Ledger
from study.runner_progress import Progress
from study.runner_search import StudySearch
from study.runner_trial import run_here, run_train
from study.trial import Task

PASSED_ON = ("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "RAY_TRAIN_ENABLE_STATE_TRACKING")


class Cluster(NamedTuple):
    """Where the trials run."""

    address: str = ""  # of an existing Ray cluster; empty: this machine
    cpus: int = 0  # of this machine to use; 0: all
    share: int = 1  # trials that run at once on each GPU
    hours: float = 0.0  # wall time after which nothing new is begun and running trials are stopped; 0: none


def run_trials(plan: Plan, folder: Path, ledger: Ledger, task: Task, cluster: Cluster, commit: str) -> bool:
    """Runs what the plan still lacks; whether nothing is left that could be run. Blocks; Ctrl-C ends it with what is done kept.

    Raises:
        StudyError: the cluster cannot hold one trial, or the folder no more records.
    """
    start_ray(cluster)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # preemption is an interrupt: Tune then stops in order
    scratch = Path(tempfile.mkdtemp(prefix="study-tune-"))
    try:
        slots, resources = places(ray.cluster_resources(), plan.workers, cluster.share)
        database = SearchDatabase(folder, plan)
        database.add(ledger.records)  # a kill may have come between record and database
        search = StudySearch(plan, ledger, database, commit)
        progress = Progress(plan, ledger, search, slots)
        settings: dict[str, Any] = {"task": task, "folder": str((folder / "trials").resolve()), "commit": commit}
        trainable = tune.with_parameters(run_here, **settings)
        if plan.workers > 1:
            trainable = tune.with_parameters(run_train, **settings, workers=plan.workers, gpu=ray.cluster_resources().get("GPU", 0) > 0)
        try:
            tune.Tuner(
                tune.with_resources(trainable, resources),
                tune_config=tune.TuneConfig(
                    search_alg=search,
                    num_samples=-1,
                    max_concurrent_trials=slots,
                    reuse_actors=plan.workers == 1,
                    time_budget_s=cluster.hours * 3600 or None,
                    trial_name_creator=lambda trial: trial.trial_id,
                    trial_dirname_creator=lambda trial: trial.trial_id,
                ),
                run_config=tune.RunConfig(storage_path=str(scratch), name="study", verbose=0, callbacks=[progress]),
            ).fit()
        finally:
            progress.close()
            database.close()
        if search.broken:
            told = "a trial ended, but its record could not be written"
            raise StudyError(f"{folder} must take the records; {told} ({search.broken})") from search.broken
        return search.finished
    finally:
        ray.shutdown()
        shutil.rmtree(scratch, ignore_errors=True)


def start_ray(cluster: Cluster) -> None:
    """Starts Ray on this machine, or joins a cluster, quietly; says where its dashboard is."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="ray")
    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    variables = {name: os.environ[name] for name in PASSED_ON}
    if cluster.address:
        check_address(cluster.address)
        try:
            context = ray.init(address=cluster.address, runtime_env={"env_vars": variables}, **quiet)
        except ConnectionError as error:
            raise StudyError(f"--address must name a running Ray cluster; {cluster.address} cannot be joined ({error})") from None
    else:
        context = ray.init(address="local", num_cpus=cluster.cpus or cores(), include_dashboard=True, **quiet)
    if context.dashboard_url:
        print(f"Ray dashboard: http://{context.dashboard_url}", flush=True)


def check_address(address: str) -> None:
    """That something answers at HOST:PORT: Ray itself would try for minutes.

    Raises:
        StudyError: nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if address != "auto":
            socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        allowed = "HOST:PORT or ray://HOST:PORT of a running Ray cluster, or auto"
        raise StudyError(f"--address must be {allowed}; {address} does not answer ({error})") from None


def places(has: dict[str, float], workers: int, share: int) -> tuple[int, Any]:
    """How many trials fit at once, and what one asks for: a core a worker, and where there are GPUs one a worker, or a share of one.

    Raises:
        StudyError: not even one fits.
    """
    gpus, cpus = has.get("GPU", 0.0), has.get("CPU", 0.0)
    slots = math.floor(min(cpus, gpus * share) if gpus else cpus) // workers
    if slots < 1:
        raise StudyError(
            f"a trial of {workers} workers needs {workers} cores{' and GPUs' if gpus else ''}; the cluster has {cpus:g} cores and {gpus:g} GPUs"
        )
    if workers > 1:  # the driver takes no core, else drivers could hold the cores that their workers wait for
        return slots, tune.PlacementGroupFactory([{"node:__internal_head__": 0.001}])
    return slots, {"cpu": 1, "gpu": 1 / share if gpus else 0}
