"""How the cost of a step grows with batch, queue, width and trials at once."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.growth import growth
from benchmarks.ours import made_up, pretraining
from benchmarks.rounds import timed_in_turn
from benchmarks.table import Table
from moco.data import cache
from moco.data.decoding import DecodedDataset
from moco.device import pick_device
from moco.model.info_nce import info_nce
from moco.trainer import gpu_sharing

ROUNDS, STEPS = 5, 4
HEAD = ["", "ms a step", "rounds", "images/s"]


def run() -> list[Table]:
    """The tables; a study's narrow encoder on a CPU, the full one on a GPU."""
    cuda = torch.cuda.is_available()
    base: dict[str, Any] = {
        "size": 32,
        "batch_size": 512 if cuda else 128,
        "queue_size": 4096,
        "stem": "small" if cuda else "imagenet",
        "width": 0.25,
    }
    if cuda:
        base["width"] = 1.0
    batches = (128, 256, 512, 1024) if cuda else (32, 64, 128, 256, 512)
    return [
        grown("batch", [{**base, "batch_size": batch} for batch in batches], "batch_size", batches),
        grown("queue", [{**base, "queue_size": size} for size in QUEUES], "queue_size", QUEUES),
        grown(
            "width",
            [{**base, "width": width} for width in WIDTHS],
            "width",
            WIDTHS,
            [width**2 for width in WIDTHS],
        ),
        large_queue(),
        at_once(base),
    ]


QUEUES = (256, 1024, 4096, 16_384, 65_536)
WIDTHS = (0.25, 0.5, 1.0, 2.0)


def grown(
    title: str,
    settings: list[dict[str, Any]],
    field: str,
    sizes: Sequence[float],
    work: Sequence[float] = (),
) -> Table:
    """A step at each size, in turn; `work` is what the sizes make of the encoder's weights, where
    they are not proportional to it.
    """
    runs = {
        str(size): pretraining({**one, "images": STEPS * one["batch_size"]})
        for size, one in zip(sizes, settings, strict=True)
    }
    seconds = timed_in_turn({name: training.train_epoch for name, training in runs.items()}, ROUNDS)
    rows = [
        [
            f"{field} {float(name):,g}",
            f"{1000 * side.median / STEPS:.1f}",
            side.spread,
            f"{STEPS * runs[name].config.batch_size / side.median:,.0f}",
        ]
        for name, side in seconds.items()
    ]
    fixed = {name: value for name, value in settings[0].items() if name not in (field, "size")}
    medians = [side.median for side in seconds.values()]
    said = f"Cost grows {growth(sizes, medians)} in {title}."
    if work:
        said += (
            " The encoder's weights grow with the square of it; in them the cost grows "
            f"{growth(work, medians)}."
        )
    return Table(
        f"Cost against {title}",
        HEAD,
        rows,
        f"{said} ResNet-18 at 32 px; "
        f"{', '.join(f'{name} {value}' for name, value in fixed.items())}.",
    )


def large_queue() -> Table:
    """MoCo's own queue with the symmetric loss at batch 512: two matrices of 512 x 65,536 logits,
    one after the other.
    """
    device = pick_device("auto")
    training = pretraining(
        {
            "images": 512,
            "size": 32,
            "batch_size": 512,
            "queue_size": 65_536,
            "stem": "imagenet",
            "loss": "symmetric_mean",
            "batch_norm_splits": 8,
        }
    )
    draws = torch.Generator().manual_seed(0)
    queries, keys = (
        torch.nn.functional.normalize(torch.randn(512, 128, generator=draws), dim=1).to(device)
        for _ in range(2)
    )
    seconds = timed_in_turn(
        {
            "step": training.train_epoch,
            "two losses": lambda: [
                info_nce(queries, keys, training.moco.queue.keys_KC, 0.2) for _ in range(2)
            ],
        },
        ROUNDS,
    )
    whole, losses = (1000 * seconds[name].median for name in ("step", "two losses"))
    rows = [
        ["whole step", f"{whole:,.0f}", ""],
        ["both losses and their gradients", f"{losses:,.0f}", f"{losses / whole:.0%}"],
    ]
    note = (
        "ResNet-18 of full width, ImageNet stem, 32 px, batch 512, queue 65,536: a matrix of "
        "logits is 134 MB, and one is held at a time."
    )
    return Table("The largest queue", ["part", "ms", "share"], rows, note)


def at_once(base: dict[str, Any]) -> Table:
    """Trials that train at once on this device, each in its process: on a CPU with one thread."""
    values = {**base, "dataset": "noise", "image_size": base["size"], "validation_share": 0.1}
    del values["size"]
    with tempfile.TemporaryDirectory() as folder:
        cached = Path(folder) / "noise"
        images, labels = (
            part.numpy() for part in made_up(8 * base["batch_size"], base["size"]).train
        )
        raw = DecodedDataset(
            tuple(str(k) for k in range(10)), (images, labels), (images[:100], labels[:100])
        )
        cache.write_cache(
            cached,
            {
                "name": "noise",
                "title": "noise",
                "bundled": True,
                "views": "moco_v2",
                "extra_name": "",
            },
            raw,
        )
        speeds = [
            gpu_sharing.images_per_second(values, cached, count) for count in gpu_sharing.COUNTS
        ]
    rows = [
        [str(count), f"{speed:,.0f}", f"{speed / max(speeds[0], 1e-9):.2f}"]
        for count, speed in zip(gpu_sharing.COUNTS, speeds, strict=True)
    ]
    seconds = [
        count / max(speed, 1e-9) for count, speed in zip(gpu_sharing.COUNTS, speeds, strict=True)
    ]
    grows = growth(gpu_sharing.COUNTS, seconds)
    note = (
        f"{os.cpu_count()} cores. The time until each trial has seen an image grows {grows} with "
        "the trials; 0 images/s: they did not fit."
    )
    return Table(
        "Trials at once", ["trials", "images/s, all together", "relative to one"], rows, note
    )
