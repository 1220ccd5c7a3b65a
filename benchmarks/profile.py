"""Where the time of a step goes, by part."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F

from benchmarks.ours import chance, finish, pretraining
from benchmarks.step import BATCH
from benchmarks.table import Table
from moco.model.info_nce import info_nce
from moco.training.cuda_graphs import record_passes

STEPS = 30


def run() -> list[Table]:
    """A table of the small encoder of a study and one of the full one."""
    tables = []
    for stem, width in (
        (("imagenet", 1.0), ("imagenet", 0.25))
        if not torch.cuda.is_available()
        else (("small", 1.0),)
    ):
        tables.append(profiled(stem, width))
    return tables


def profiled(stem: str, width: float) -> Table:
    """Medians of the parts over some steps; the sum of the parts is the step."""
    batch = BATCH["cuda" if torch.cuda.is_available() else "cpu"]
    training = pretraining(
        {
            "images": 2 * batch,
            "size": 32,
            "batch_size": batch,
            "queue_size": 4096,
            "stem": stem,
            "width": width,
        }
    )
    moco, draws, found = training.moco, chance(1), dict[str, Any]()
    images = torch.arange(batch, device=training.device)
    if training.records_graphs:
        record_passes(moco, training.make_batch(images, draws).views[0])
    parts: dict[str, Callable[[], Any]] = {
        "views, two an image": lambda: training.make_batch(images, draws),
        "key encoder's weights follow": moco.update_key_encoder,
        "query forward": lambda: F.normalize(
            moco.encode(moco.query_encoder, found["views, two an image"].views[0]), dim=1
        ),
        "key forward, shuffled": lambda: moco.encode_keys(
            found["views, two an image"].views[1], draws.shuffle
        ),
        "loss and its gradient to the queries": lambda: info_nce(
            found["query forward"],
            found["key forward, shuffled"],
            moco.queue.keys_KC,
            moco.temperature,
        ),
        "backward": lambda: found["loss and its gradient to the queries"].loss.backward(),
        "optimizer": training.optimizer.step,
        "keys into the queue": lambda: moco.queue.enqueue(found["key forward, shuffled"], images),
    }
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(STEPS):
        training.optimizer.zero_grad(set_to_none=True)
        for name, part in parts.items():
            started = time.perf_counter()
            finish(partial(keep, found, name, part))
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values[STEPS // 6 :]) for name, values in seconds.items()}
    total = sum(medians.values())
    rows = [
        [name, f"{1000 * value:.2f}", f"{value / total:.0%}"] for name, value in medians.items()
    ]
    title = (
        f"Where a step's time goes: ResNet-18 of width {width:g}, {stem} stem, 32 px, batch {batch}"
    )
    precision = str(moco.precision).removeprefix("torch.")
    note = (
        f"{precision}, {len(moco.queue.keys_KC):,} keys. Each part is waited for; a GPU otherwise "
        "makes the views while the step before runs."
    )
    return Table(title, ["part", "ms", "share"], [*rows, ["all", f"{1000 * total:.1f}", ""]], note)


def keep(found: dict[str, Any], name: str, part: Callable[[], Any]) -> None:
    """Does a part of the step, and keeps what later parts need of it."""
    found[name] = part()
