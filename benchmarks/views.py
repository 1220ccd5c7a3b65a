"""Views on one core against torchvision's transforms of PIL images."""

from benchmarks.rounds import ROUNDS, Side, in_turn
from benchmarks.step import peers_python
from benchmarks.table import Table

IMAGES = 2048


def run() -> list[Table]:
    """One table; the tests hold each transform and the drawn parameters against torchvision's."""
    settings = {"images": IMAGES, "size": 32, "batch_size": 128, "device": "cpu"}
    sides = {
        "ours, batches of 128 images": Side("benchmarks.ours", "views", settings, threads=1),
        "torchvision's on PIL images": Side(
            "benchmarks.peers", "pil_views", settings, peers_python(), threads=1
        ),
    }
    seconds = in_turn(sides)
    ours = next(iter(seconds.values())).median
    rows = [
        [name, f"{2 * IMAGES / side.median:,.0f}", side.spread, f"{side.median / ours:.2f}"]
        for name, side in seconds.items()
    ]
    note = f"MoCo v2's recipe with blur at 32 px, one core, {ROUNDS} rounds in turn."
    return [Table("Views", ["side", "views/s", "rounds", "relative"], rows, note)]
