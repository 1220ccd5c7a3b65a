"""The whole step against lightly's, against a plain loop in FAIR's manner, and against the bare
work of the encoders.
"""

import subprocess
import sys
from functools import cache
from typing import Any

from benchmarks.rounds import ROOT, ROUNDS, Seconds, Side, in_turn
from benchmarks.table import Table
from moco.device import pick_device
from study.store.environment import cores

PEERS = ROOT / ".venv-peers" / "bin" / "python"
BATCH = {"cpu": 128, "cuda": 512, "mps": 256}
STEPS = {"imagenet": 20, "small": 4}  # a round, on a CPU


def run() -> list[Table]:
    """One table a stem.

    On a GPU only the stem for small images, with so many steps that a DataLoader's first batches do
    not count.
    """
    device = pick_device("auto").type
    stems = ("imagenet", "small") if device == "cpu" else ("small",)
    return [
        compared(stem, BATCH[device], STEPS[stem] if device == "cpu" else 10 * cores())
        for stem in stems
    ]


def compared(stem: str, batch: int, steps: int) -> Table:
    """A table of all sides on a ResNet-18 of full width at 32 px."""
    settings = {
        "images": batch * steps,
        "size": 32,
        "batch_size": batch,
        "queue_size": 4096,
        "stem": stem,
    }
    seconds = in_turn({**our_sides(settings), **peers(settings)})
    first = next(iter(seconds.values()))
    rows = [row(name, side, first, batch, steps) for name, side in seconds.items()]
    missing = "" if lightly_version() else " lightly is not installed here: make bench installs it."
    note = (
        f"Queue 4,096, MoCo v2's views with blur; {steps} steps a round, {ROUNDS} rounds in "
        "turn. “Relative” is seconds over ours. "
        "A DataLoader's workers stay alive between rounds; its first batch, once a round, is in "
        "its time. "
        "The encoders' work is query forward and backward and key forward on ready views, batch "
        "norm in one group, dtype and layout as ours."
    )
    return Table(
        f"A step, images in memory to optimizer step: ResNet-18, {stem} stem, 32 px, batch {batch}",
        HEAD,
        rows,
        note + missing,
    )


HEAD = ["side", "ms a step", "rounds", "images/s", "relative"]


def our_sides(settings: dict[str, Any]) -> dict[str, Side]:
    """The step as it comes, with what peers do not have left out one by one, and the floors."""
    plain = {**settings, "batch_norm": "plain"}
    return {
        "ours: 4 groups of batch norm, keys shuffled": Side("benchmarks.ours", "step", settings),
        "ours, batch norm in one group as peers have it": Side("benchmarks.ours", "step", plain),
        "ours, one group, float32": Side(
            "benchmarks.ours", "step", {**plain, "precision": "float32"}
        ),
        "bare work of the encoders, torch's layers": Side("benchmarks.ours", "floor", settings),
        "bare work of the encoders, our convolutions": Side(
            "benchmarks.ours", "encoders", settings
        ),
    }


def peers(settings: dict[str, Any]) -> dict[str, Side]:
    """The plain loop, and lightly where it is installed."""
    sides = (
        {f"lightly {lightly_version()}, its example, a DataLoader worker a core": "lightly"}
        if lightly_version()
        else {}
    )
    sides["plain loop in FAIR's manner, a DataLoader worker a core"] = "fair"
    return {
        title: Side("benchmarks.peers", name, settings, peers_python())
        for title, name in sides.items()
    }


def peers_python() -> str:
    """That of the peers' own environment, else ours."""
    return str(PEERS) if PEERS.exists() else sys.executable


@cache
def lightly_version() -> str:
    """Empty where it is not installed."""
    code = "import importlib.metadata as m; print(m.version('lightly'))"
    return subprocess.run(
        [peers_python(), "-c", code], capture_output=True, text=True
    ).stdout.strip()


def row(name: str, side: Seconds, ours: Seconds, batch: int, steps: int) -> list[str]:
    """A side in words."""
    return [
        name,
        f"{1000 * side.median / steps:,.1f}",
        side.spread,
        f"{batch * steps / side.median:,.0f}",
        f"{side.median / ours.median:.2f}",
    ]
