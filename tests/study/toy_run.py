"""Runs the toy study under Ray in the folder given, as run_study.py runs a real one; exit code 0 when nothing is left.

Arguments: the folder; changes to the toy's sizes, fields that are set, and the options of a Cluster, each as JSON.
"""

import json
import signal
import sys
from contextlib import closing
from pathlib import Path

import toy

from study.errors import StudyError
from study.runner.ray_settings import settle
from study.store.directory import open_study

if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # tests that run behind a shell have it ignored, and so would the study
    folder, (sizes, overrides, options) = Path(sys.argv[1]), map(json.loads, sys.argv[2:5])
    settle(options.get("address", ""))
    from study.runner.cluster import Cluster
    from study.runner.execute import Work, run_trials

    about = {"command": [], "folder": "toy", "versions": {}, "commit": "", "created": ""}
    plan, ledger = open_study(folder, toy.plan(overrides=overrides, **sizes), about)
    with closing(ledger):
        try:
            code = (Path(__file__).parents[2] / "study",)
            whole = run_trials(
                plan,
                folder,
                ledger,
                Work(toy.task, {}, "c0ffee"),
                Cluster(**{"cpus": 2, "code": code, **options}),
            )
        except StudyError as problem:
            print(problem)
            sys.exit(2)
    sys.exit(0 if whole else 130)
