"""When torch.compile pays back on a GPU: seconds that it costs at the start, and what it saves an
image.
"""

import time

import torch

from benchmarks.ours import finish, pretraining
from benchmarks.rounds import timed_in_turn
from benchmarks.table import Table
from moco.training.contrastive import Pretraining

TITLE = "torch.compile"


def run() -> list[Table]:
    """The table, or why there is none: on a CPU compiling takes as long as whole trials."""
    if not torch.cuda.is_available():
        return [Table(TITLE, ["compile"], [], "Not run: it takes a GPU.")]
    runs: dict[str, Pretraining] = {}
    first: dict[str, float] = {}
    for wish in ("off", "on"):
        runs[wish] = pretraining(
            {
                "images": 10_240,
                "size": 32,
                "batch_size": 512,
                "queue_size": 4096,
                "stem": "small",
                "compile": wish,
            }
        )
        started = time.perf_counter()
        finish(runs[wish].train_epoch)
        first[wish] = time.perf_counter() - started
    seconds = timed_in_turn({wish: training.train_epoch for wish, training in runs.items()})
    rows = [
        [wish, f"{first[wish]:.1f}", f"{1000 * side.median / 20:.1f}", side.spread]
        for wish, side in seconds.items()
    ]
    saved = (seconds["off"].median - seconds["on"].median) / 10_240
    start = first["on"] - seconds["on"].median
    told = (
        f"It pays back after {start / saved:,.0f} images." if saved > 0 else "It does not pay back."
    )
    note = (
        "ResNet-18 of full width, stem for small images, 32 px, batch 512; the first 20 steps "
        f"hold the start. {told}"
    )
    return [Table(TITLE, ["compile", "first 20 steps, s", "ms a step", "rounds"], rows, note)]
