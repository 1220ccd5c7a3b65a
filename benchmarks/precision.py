"""Whether the fast precision costs accuracy: the same trials in bfloat16 and in float32, paired by
seed.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.table import Table
from moco.config import Config
from moco.data import cache
from moco.device import has_fast_bfloat16, pick_device
from moco.trainer import trial
from search_spaces._optimizers import FIXED
from search_spaces._sizes import QUICK, SMALL
from search_spaces.optimizers import PROFILES
from study.analysis.statistics import paired

SEEDS = range(1, 9)


def run() -> list[Table]:
    """One table; the quick study's trial of SGD and of Adam."""
    kind = pick_device("auto").type
    if not has_fast_bfloat16(kind):
        note = f"Not run: this {kind} has no fast bfloat16, so that auto is float32 already."
        return [Table("Accuracy of the fast precision", ["metric"], [], note)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for profile, dataset, optimizer, lr in TRIALS:
            if dataset:
                fields = {
                    **FIXED,
                    **PROFILES[profile].values,
                    "dataset": Path(dataset).name,
                    "optimizer": optimizer,
                    "lr": lr,
                }
                cached = cache.prepare(dataset, fields["image_size"], Path(folder))
                found = {
                    name: [result(fields, seed, name, Path(folder), cached) for seed in SEEDS]
                    for name in ("bfloat16", "float32")
                }
                rows += [
                    compared(found, f"{profile}, {optimizer}", metric, scale)
                    for metric, scale in METRICS
                ]
    head = [
        "profile, optimizer",
        "metric",
        "bfloat16",
        "float32",
        "seed sd",
        "difference",
        "95 % interval",
    ]
    note = (
        f"Whole trials of the study's profiles, n = {len(SEEDS)} seeds, validation split; paired "
        "t interval of bfloat16 − float32. "
        "Quick: the bundled shapes. Small: CIFAR-10's images as BENCH_CIFAR names them, left out "
        "without it."
    )
    return [Table("Accuracy of the fast precision", head, rows, note)]


TRIALS = (
    ("quick", "shapes", "sgd", QUICK["lr"]),
    ("quick", "shapes", "adam", 0.003),
    ("small", os.environ.get("BENCH_CIFAR", ""), "sgd", SMALL["lr"]),
)
METRICS = (("probe_accuracy", 100.0), ("knn_accuracy", 100.0), ("loss", 1.0))


def result(
    fields: dict[str, Any], seed: int, precision: str, folder: Path, cached: Path
) -> dict[str, Any]:
    """A whole trial's result."""
    config = Config.of({**fields, "seed": seed, "precision": precision})
    own = folder / f"{config.dataset}-{config.optimizer}-{precision}-{seed}"
    own.mkdir()
    run = trial.run_config(config.to_dict(), own, cached)
    while True:
        try:
            next(run)
        except StopIteration as end:
            return end.value


def compared(
    found: dict[str, list[dict[str, Any]]], name: str, metric: str, scale: float
) -> list[str]:
    """A row."""
    fast, full = (
        {seed: scale * r[metric] for seed, r in zip(SEEDS, found[side], strict=True)}
        for side in ("bfloat16", "float32")
    )
    pair, seeds = paired(fast, full), paired(full, dict.fromkeys(full, 0.0))
    means = [f"{sum(side.values()) / len(side):.2f}" for side in (fast, full)]
    return [
        name,
        metric.replace("_", " "),
        *means,
        f"{seeds.sd:.2f}",
        f"{pair.mean:+.2f}",
        f"{pair.low:+.2f} to {pair.high:+.2f}",
    ]
