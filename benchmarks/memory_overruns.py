"""Training of narrow ResNets in child processes, with many numbers of threads: does any crash?

    python -m benchmarks.memory_overruns [--torch] [--quick]

--torch tries torchvision's own layers, which crash where `moco.model.convolution.overruns_memory`
says so; otherwise the program's encoders, which must not.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks.rounds import ROOT

THREADS = tuple(range(1, 17))
CHILD = """
import json, sys
import torch
from torch import nn
from moco.config import Config
from moco.model.convolution import SmallMapConv2d
from moco.model.encoder import Encoder

case = json.loads(sys.argv[1])
torch.manual_seed(0)
formats = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
layout = formats[case["layout"]]
for threads in case["threads"]:
    torch.set_num_threads(threads)
    print(threads, flush=True)
    for width, pixels, batch in case["shapes"]:
        encoder = Encoder(Config(width=width, batch_norm="plain"), case["channels"])
        for module in encoder.modules() if case["torch"] else ():
            if isinstance(module, SmallMapConv2d):
                module.__class__ = nn.Conv2d
        encoder = encoder.to(memory_format=layout).train()
        images = torch.rand(batch, case["channels"], pixels, pixels).to(memory_format=layout)
        for _ in range(2):
            with torch.autocast("cpu", torch.bfloat16, enabled=case["bfloat16"]):
                loss = encoder(images).float().square().mean()
            loss.backward()
"""


class Outcome(NamedTuple):
    """How a child process ended."""

    case: dict[str, Any]
    code: int  # negative: the signal that ended it
    threads: int  # with which it ran last


def sweep(*, use_torch: bool, quick: bool) -> Iterator[Outcome]:
    """Every number of threads and every shape, in both layouts and precisions.

    Args:
        use_torch: torchvision's layers in place of the program's.
        quick: the shape and the layout that crash first.
    """
    shapes = list(itertools.product((0.0625, 0.125, 0.1875, 0.25), (16, 32, 64), (16, 64, 66)))
    counts: list[tuple[int, ...]] = [(count,) for count in THREADS]
    layouts: tuple[str, ...] = ("channels_last", "contiguous")
    if quick:
        shapes, counts, layouts = (
            [(0.125, 16, 64), (0.125, 64, 4)],
            [(1, 3, 5, 6)],
            ("channels_last",),
        )
    for layout, bfloat16, threads in itertools.product(layouts, (False, True), counts):
        case = {
            "layout": layout,
            "bfloat16": bfloat16,
            "threads": threads,
            "shapes": shapes,
            "channels": 1,
            "torch": use_torch,
        }
        yield run_case(case)


def run_case(case: dict[str, Any]) -> Outcome:
    """Train in a child process whose allocator checks its heap."""
    environment = {
        **os.environ,
        "MALLOC_CHECK_": "3",
        "MALLOC_PERTURB_": "165",
        "OMP_WAIT_POLICY": "passive",  # 16 threads that spin on two cores take hours
    }
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, json.dumps(case)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    if child.returncode > 0:
        raise RuntimeError(child.stderr)
    return Outcome(case, child.returncode, int(child.stdout.split()[-1]))


def main() -> int:
    """Print each outcome as it comes; 1 where a signal ended a child."""
    parser = argparse.ArgumentParser("python -m benchmarks.memory_overruns")
    parser.add_argument("--torch", action="store_true", help="torchvision's own layers")
    parser.add_argument("--quick", action="store_true", help="the shapes that crash first")
    command = parser.parse_args()
    crashed = False
    for outcome in sweep(use_torch=command.torch, quick=command.quick):
        case, precision = outcome.case, "bfloat16" if outcome.case["bfloat16"] else "float32"
        ended = f"signal {-outcome.code} at {outcome.threads}" if outcome.code else "ran"
        threads = ", ".join(map(str, case["threads"]))
        print(f"{case['layout']:14} {precision:9} {threads} threads: {ended}", flush=True)
        crashed |= outcome.code != 0
    return int(crashed)


if __name__ == "__main__":
    sys.exit(main())
