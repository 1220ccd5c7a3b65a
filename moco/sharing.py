"""How many trials should train at once on one device: measured, since memory and launch overhead differ by encoder and machine."""

import multiprocessing
import time
from collections.abc import Iterable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from queue import Empty
from typing import Any

import torch

from moco import data
from moco.config import Config
from moco.seed import Source, generator
from moco.splits import carve
from moco.training import Chance
from moco.trial import METHODS

COUNTS = (1, 2, 4, 8)
GAIN = 1.1  # doubling the trials must make them together faster by this, else the fewer are better: each then ends sooner
SECONDS = 3.0  # of training that are measured
TOGETHER = 4  # steps between two looks at the clock
PATIENCE = 180.0  # seconds until every process must be warm


def trials_a_gpu(values: dict[str, Any], cached: Path) -> int:
    """The number of COUNTS from which on more trials at once bring little, or do not fit into the GPU's memory.

    Args:
        values: the fields of a trial.
        cached: a dataset as `moco.data.prepare` left it.
    """
    return enough((count, images_per_second(values, cached, count)) for count in COUNTS)


def enough(speeds: Iterable[tuple[int, float]]) -> int:
    """Of counts with the speed of so many trials together, the last that brought its gain; what comes after one that did not is not asked for."""
    best, fastest = 1, 0.0
    for count, speed in speeds:
        if speed <= GAIN * fastest:
            break
        best, fastest = count, speed
    return best


def images_per_second(values: dict[str, Any], cached: Path, trials: int, threads: int = 1, seconds: float = SECONDS) -> float:
    """Of so many trials together, each in a process of its own with so many threads on a CPU; 0 where one of them fails, for want of memory say."""
    context = multiprocessing.get_context("spawn")
    gate, told = context.Barrier(trials), context.Queue()
    processes = [context.Process(target=trial, args=(values, cached, threads, seconds, gate, told), daemon=True) for _ in range(trials)]
    for process in processes:
        process.start()
    try:
        return max(0.0, sum(told.get(timeout=PATIENCE + seconds) for _ in processes))
    except Empty:
        return 0.0
    finally:
        for process in processes:
            process.terminate()
            process.join()


def trial(values: dict[str, Any], cached: Path, threads: int, seconds: float, gate: Barrier, told: Any) -> None:
    """Trains until the time is over, and tells its images a second; begins when all are warm."""
    torch.set_num_threads(threads)
    try:
        config = Config.of(values)
        dataset = data.load(cached)
        run = METHODS[config.method](config, dataset, carve(dataset, config))
        chance = Chance(*(generator(config.seed, source, 1) for source in (Source.VIEWS, Source.SHUFFLE)))
        images = torch.arange(config.batch_size, device=run.device)

        def some() -> None:
            losses = [run.train_step(run.batch(images, chance), chance)[0] for _ in range(TOGETHER)]
            float(losses[-1])  # waits for the device

        some()
        gate.wait(PATIENCE)
        started, steps = time.perf_counter(), 0
        while (passed := time.perf_counter() - started) < seconds:
            some()
            steps += TOGETHER
        told.put(steps * config.batch_size / passed)
    except Exception:
        gate.abort()
        told.put(-float("inf"))
