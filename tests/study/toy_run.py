"""Runs the toy study under Ray in the folder given, as run_study.py runs a real one; exit code 0 when nothing is left."""

import json
import sys
from pathlib import Path

import toy

from study.plan import fix_plan
from study.record import Ledger
from study.runner_settings import settle

settle("")
from study.runner import run_trials  # noqa: E402
from study.runner_cluster import Cluster  # noqa: E402

if __name__ == "__main__":
    folder, changes, overrides = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
    plan = toy.plan(overrides=overrides, **changes)
    fix_plan(folder, plan, {"command": [], "folder": "toy", "versions": {}, "commit": "", "created": ""})
    ledger = Ledger(folder)
    sys.exit(
        0 if run_trials(plan, folder, ledger, toy.task, Cluster(cpus=2, hours=float(sys.argv[4]) if len(sys.argv) > 4 else 0.0), "c0ffee") else 130
    )
