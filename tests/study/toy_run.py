"""Runs the toy study under Ray in the folder given, as run_study.py runs a real one; exit code 0 when nothing is left.

Arguments: the folder; changes to the toy's sizes, fields that are set, and the options of a Cluster, each as JSON.
The toy trains without torch, so a trial of one worker, and the driver, must do without it too.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import toy

from study.errors import StudyError
from study.runner.ray_settings import configure_ray_environment
from study.store.directory import open_study

SCRIPT = Path(__file__).resolve()
ROOT = SCRIPT.parents[2]


def start(folder, sizes, overrides, options, environment=None, **popen):
    """The process of a toy study, in a process group of its own."""
    path = f"{ROOT}{os.pathsep}{SCRIPT.parent}"
    words = [
        sys.executable,
        str(SCRIPT),
        str(folder),
        *map(json.dumps, (sizes, overrides, options)),
    ]
    return subprocess.Popen(
        words,
        env={**os.environ, "PYTHONPATH": path, **(environment or {})},
        text=True,
        start_new_session=True,
        **popen,
    )


def train_without_torch(config, folder):
    """The toy's epochs, in a process that has not imported torch."""
    result = yield from toy.TRAINER.train(config, folder)
    assert "torch" not in sys.modules
    return result


def main(folder, sizes, overrides, options):
    """Exit code: 0 complete, 130 stopped before the end, 2 a sentence says why."""
    from study.runner.cluster import Cluster
    from study.runner.execute import Work, run_trials

    plan, ledger = open_study(folder, toy.plan(overrides=overrides, **sizes), toy.about())
    train = plan.space.trainer.train if plan.workers > 1 else train_without_torch
    defaults = {"cpus": 2, "code": (ROOT / "study",)}
    with closing(ledger):
        try:
            complete, _ = run_trials(
                plan,
                folder,
                ledger,
                work=Work(train, {}, "c0ffee"),
                cluster=Cluster(**{**defaults, **options}),
            )
        except StudyError as problem:
            print(problem)
            return 2
    assert "torch" not in sys.modules or plan.workers > 1
    return 0 if complete else 130


if __name__ == "__main__":
    # tests that run behind a shell have it ignored, and so would the study
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sizes, overrides, options = map(json.loads, sys.argv[2:5])
    configure_ray_environment(options.get("address", ""))
    sys.exit(main(Path(sys.argv[1]), sizes, overrides, options))
