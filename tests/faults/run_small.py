"""Runs a small study of two optimizers on shapes, as run_study.py runs a whole one: the folder, and its options besides."""

import sys
from dataclasses import replace

import run_study
import search_spaces.optimizers as optimizers

SIZES = {
    "searches": 2,
    "search_trials": 1,
    "added_trials": 1,
    "final_seeds": 1,
    "replica_seeds": 1,
}
FIELDS = {"epochs": 3, "probe_epochs": 5, "train_images": 600, "batch_size": 64}
QUICK = optimizers.SPACE.profiles["quick"]

optimizers.SPACE = replace(
    optimizers.SPACE,
    arms=tuple(arm for arm in optimizers.ARMS if arm.name in ("sgd", "rmsprop")),
    claims=tuple(claim for claim in optimizers.CLAIMS if claim.role != "family"),
    profiles={"quick": replace(QUICK, **SIZES, values={**QUICK.values, **FIELDS})},
)

if __name__ == "__main__":
    sys.exit(
        run_study.main(["--space", "optimizers", "--profile", "quick", "--out", *sys.argv[1:]])
    )
