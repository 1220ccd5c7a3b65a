"""The whole step against lightly's, against a plain loop in FAIR's manner, and against the bare work of the encoders."""

from pathlib import Path
from typing import Any

from benchmarks.rounds import ROOT, ROUNDS, Seconds, Side, in_turn
from benchmarks.table import Table
from moco.device import pick_device

PEERS = ROOT / ".venv-peers" / "bin" / "python"
BATCH = {"cpu": 128, "cuda": 512, "mps": 256}
STEPS = {"imagenet": 10, "small": 3}  # a round, on a CPU


def run() -> list[Table]:
    """One table a stem. On a GPU only the stem for small images, with more steps."""
    device = pick_device("auto").type
    stems = ("imagenet", "small") if device == "cpu" else ("small",)
    return [compared(stem, BATCH[device], STEPS[stem] if device == "cpu" else 20) for stem in stems]


def compared(stem: str, batch: int, steps: int) -> Table:
    """A table of all sides on a ResNet-18 of full width at 32 px."""
    settings = {"images": batch * steps, "size": 32, "batch_size": batch, "queue_size": 4096, "stem": stem}
    seconds = in_turn({**our_sides(settings), **peers(settings, PEERS)})
    first = next(iter(seconds.values()))
    rows = [row(name, side, first, batch, steps) for name, side in seconds.items()]
    missing = "" if PEERS.exists() else " The peers are not installed here: make bench installs them."
    note = (
        f"Queue 4,096, MoCo v2's views with blur, {steps} steps a round, {ROUNDS} rounds in turn. “Relative” is seconds over ours. "
        "The encoders' work is query forward and backward and key forward on ready views, batch norm in one group, dtype and layout as ours."
    )
    return Table(f"A step, images in memory to optimizer step: ResNet-18, {stem} stem, 32 px, batch {batch}", HEAD, rows, note + missing)


HEAD = ["side", "ms a step", "rounds", "images/s", "relative"]


def our_sides(settings: dict[str, Any]) -> dict[str, Side]:
    """The step as it comes, with what peers do not have left out one by one, and the floors."""
    plain = {**settings, "batch_norm": "plain"}
    return {
        "ours: 4 groups of batch norm, keys shuffled": Side("benchmarks.ours", "step", settings),
        "ours, batch norm in one group as peers have it": Side("benchmarks.ours", "step", plain),
        "ours, one group, float32": Side("benchmarks.ours", "step", {**plain, "precision": "float32"}),
        "bare work of the encoders, torch's layers": Side("benchmarks.ours", "floor", settings),
        "bare work of the encoders, our convolutions": Side("benchmarks.ours", "encoders", settings),
    }


def peers(settings: dict[str, Any], python: Path) -> dict[str, Side]:
    """lightly and the plain loop, where their environment is installed."""
    if not python.exists():
        return {}
    return {
        "lightly 1.6, its example, a DataLoader worker a core": Side("benchmarks.peers", "lightly", settings, str(python)),
        "plain loop in FAIR's manner, likewise": Side("benchmarks.peers", "fair", settings, str(python)),
    }


def row(name: str, side: Seconds, ours: Seconds, batch: int, steps: int) -> list[str]:
    """A side in words."""
    return [name, f"{1000 * side.median / steps:,.1f}", side.spread, f"{batch * steps / side.median:,.0f}", f"{side.median / ours.median:.2f}"]
